"""`/api/auth`: another password, with the old one or by a mailed link, and confirming an address."""

from __future__ import annotations

from accounts import passwords
from accounts.errors import LinkInvalid, NotAuthenticated, TierTooLow, WrongCredentials
from api.auterity.bodies import auth as auth_bodies
from api.auterity.bodies import passwords as bodies
from api.auterity.dialect import AuterityView
from api.auterity.views.auth import tokens_body
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from auterity.kernel.errors import InvalidInput


class ChangePasswordView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_change_password",
        summary="Change your password",
        body=bodies.ChangePassword,
        answers={200: auth_bodies.Tokens},
        raises=[NotAuthenticated, WrongCredentials, TierTooLow, InvalidInput],
    )
    def post(self, call: Call[bodies.ChangePassword]) -> Answer:
        """Every login of yours ends at once, on every device; the answer has the tokens of a new one."""
        pair = passwords.change(
            actor=call.actor,
            current_password=call.body.current_password,
            new_password=call.body.new_password,
            dialect=self.dialect.name,
            access_seconds=self.dialect.access_seconds,
            address=call.request.META.get("REMOTE_ADDR", ""),
            user_agent=call.request.headers.get("User-Agent", ""),
        )
        return Answer(tokens_body(pair), headers=NO_STORE, sparse=True)


class ForgotPasswordView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="auth_forgot_password",
        summary="Have a link mailed to choose a new password",
        body=bodies.ForgotPassword,
        answers={202: bodies.MailPromised},
        raises=[InvalidInput],
    )
    def post(self, call: Call[bodies.ForgotPassword]) -> Answer:
        """The answer, and the work done for it, is the same whether or not the address has an account. The link works once, for
        an hour."""
        passwords.forgot(email=call.body.email)
        return Answer(bodies.MailPromised(message="If this address has an account, a mail is on its way."), 202)


class ResetPasswordView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="auth_reset_password",
        summary="Choose a new password by a mailed link",
        body=bodies.ResetPassword,
        answers={204: None},
        raises=[LinkInvalid, InvalidInput],
    )
    def post(self, call: Call[bodies.ResetPassword]) -> Answer:
        """Once. Ends every login of the person; log in with the new password."""
        passwords.reset(token=call.body.token, password=call.body.password)
        return Answer(None, 204)


class VerifyEmailView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="auth_verify_email",
        summary="Confirm an address by a mailed link",
        body=bodies.VerifyEmail,
        answers={204: None},
        raises=[LinkInvalid, InvalidInput],
    )
    def post(self, call: Call[bodies.VerifyEmail]) -> Answer:
        """Once, within a day."""
        passwords.verify_email(token=call.body.token)
        return Answer(None, 204)


class SendVerificationView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_send_verification",
        summary="Have the link for confirming your address mailed again",
        body=bodies.SendVerification,
        answers={202: bodies.MailPromised},
        raises=[NotAuthenticated],
    )
    def post(self, call: Call[bodies.SendVerification]) -> Answer:
        """At most one a minute; none once the address is confirmed."""
        passwords.send_verification(actor=call.actor)
        return Answer(bodies.MailPromised(message="If your address is not confirmed yet, a mail is on its way."), 202)
