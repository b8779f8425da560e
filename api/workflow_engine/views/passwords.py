"""`/api/v1/auth`: another password, with the present one or by a mailed link."""

from __future__ import annotations

from django.conf import settings

from accounts import factors, passwords, strength
from accounts.errors import AccountLocked, LinkInvalid, PasswordReused, PasswordWeak, TierTooLow, WrongCredentials
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from api.problems import PasswordMismatch
from api.workflow_engine.bodies import passwords as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from auterity.kernel.errors import InvalidInput


class PasswordChangeView(WorkflowEngineView):
    @operation(
        id="password_change",
        summary="Change your password",
        body=bodies.PasswordChange,
        answers={200: bodies.PasswordChanged},
        needs=PERSON,
        raises=[WrongCredentials, AccountLocked, TierTooLow, PasswordMismatch, PasswordWeak, PasswordReused],
        says="Your password is another one now.",
    )
    def post(self, call: Call[bodies.PasswordChange]) -> Answer:
        """The login at hand goes on; your others end at once unless you say otherwise."""
        body = call.body
        _same(body.new_password, body.confirm_password)
        changed_at, ended = passwords.change_here(
            actor=call.actor,
            current_password=body.current_password,
            new_password=body.new_password,
            end_others=body.revoke_other_sessions,
        )
        found = strength.of(body.new_password)
        return Answer(
            bodies.PasswordChanged(
                changed_at=changed_at,
                revoked_sessions=ended,
                strength=bodies.PasswordStrength(score=found.score, warnings=found.warnings),
            ),
            headers=NO_STORE,
        )


class PasswordForgottenView(WorkflowEngineView):
    public = True

    @operation(
        id="password_forgotten",
        summary="Have a link mailed to choose a new password",
        body=bodies.PasswordForgotten,
        answers={202: bodies.LinkPromised},
        needs=OPEN,
        raises=[InvalidInput],
        says="If this address has an account, a mail is on its way.",
    )
    def post(self, call: Call[bodies.PasswordForgotten]) -> Answer:
        """The answer, and the work done for it, is the same whether or not the address has an account. The link works once;
        once the password is chosen, its page leads on to `redirect_path`."""
        passwords.forgot(email=call.body.email, onward=call.body.redirect_path or "")
        seconds = int(settings.PASSWORD_RESET_LIFETIME.total_seconds())
        return Answer(bodies.LinkPromised(accepted=True, expires_in=seconds), 202)


class PasswordResetView(WorkflowEngineView):
    public = True

    @operation(
        id="password_reset",
        summary="Choose a new password by a mailed link",
        body=bodies.PasswordChosenAnew,
        answers={200: bodies.PasswordReset},
        needs=OPEN,
        raises=[LinkInvalid, PasswordMismatch, PasswordWeak, PasswordReused],
        says="Log in with your new password.",
    )
    def post(self, call: Call[bodies.PasswordChosenAnew]) -> Answer:
        """Once. Ends every login of yours and lifts a lock; second factors stay."""
        _same(call.body.new_password, call.body.confirm_password)
        done = passwords.reset(token=call.body.token, password=call.body.new_password)
        return Answer(
            bodies.PasswordReset(
                user_id=done.user_id,
                changed_at=done.changed_at,
                revoked_sessions=done.revoked_sessions,
                mfa_still_required=bool(factors.enrolled(done.user_id)),
            ),
            headers=NO_STORE,
        )


def _same(password: str, confirmation: str | None) -> None:
    if confirmation is not None and confirmation != password:
        raise PasswordMismatch
