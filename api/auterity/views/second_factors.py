"""`/api/auth`: finishing a login with a second factor, setting one up, and proving oneself anew."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from rest_framework.request import Request

from accounts import errors, logins, mail_codes, second_factors
from accounts.clients import Client
from accounts.factors import Factor, methods
from accounts.models import User
from api.auterity.bodies import auth as auth_bodies
from api.auterity.bodies import second_factors as bodies
from api.auterity.dialect import AUTERITY, AuterityView
from api.auterity.views.auth import tokens_body
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput

WRONG_CODE = (errors.MfaInvalid, errors.MfaAttempts, errors.MfaMethodUnavailable)
WRONG_PASSWORD = (errors.WrongCredentials, errors.AccountLocked)


class FinishLoginView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="auth_mfa",
        summary="Finish a login with a second factor",
        body=bodies.FinishLogin,
        answers={200: auth_bodies.Tokens},
        raises=[errors.MfaTokenInvalid, *WRONG_CODE, errors.AccountInactive, errors.AddressNotAllowed],
    )
    def post(self, call: Call[bodies.FinishLogin]) -> Answer:
        """Within five minutes of the login that answered `mfa_required`. Five wrong codes end it."""
        pair = logins.finish(
            mfa_token=call.body.mfa_token,
            method=call.body.method,
            code=call.body.code,
            client=client_of(call.request),
        )
        return Answer(tokens_body(pair), headers=NO_STORE, sparse=True)


class SendLoginCodeView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="auth_mfa_send_code",
        summary="Have a code for a login mailed",
        body=bodies.SendLoginCode,
        answers={202: bodies.CodeSent},
        raises=[errors.MfaTokenInvalid, errors.MfaMethodUnavailable],
    )
    def post(self, call: Call[bodies.SendLoginCode]) -> Answer:
        """For whoever has set up no second factor and is asked for one. At most one mail a minute; the code is good for ten."""
        return Answer(bodies.CodeSent(sent_to=logins.send_code(mfa_token=call.body.mfa_token)), 202, headers=NO_STORE)


class SecondFactorsView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_second_factors",
        summary="Your second factors",
        answers={200: bodies.SecondFactorsBody},
        raises=[errors.NotAuthenticated],
    )
    def get(self, call: Call[None]) -> Answer:
        """What is set up, and by what you can prove yourself."""
        found = second_factors.standing(call.actor)
        return Answer(
            bodies.SecondFactorsBody(
                enrolled=[*found.enrolled],
                methods=[*found.methods],
                compulsory=found.compulsory,
                totp_enabled_at=found.totp_enabled_at,
                backup_codes_remaining=found.backup_codes_remaining,
                fresh_until=logins.fresh_until(call.actor),
            ),
            headers=NO_STORE,
        )


class TotpView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_totp_begin",
        summary="Begin to set up an authenticator app",
        body=bodies.TotpBegin,
        answers={201: bodies.TotpSetup},
        raises=[errors.MfaAlreadyEnabled, errors.FreshLoginRequired, errors.OwnLoginRequired, *WRONG_PASSWORD],
    )
    def post(self, call: Call[bodies.TotpBegin]) -> Answer:
        """The secret is shown once. It counts once a code of it is confirmed within ten minutes; beginning again replaces it.
        Needs a login of the last ten minutes, or the password."""
        if call.body.password is not None:
            logins.step_up_by_password(actor=call.actor, password=call.body.password)
        logins.require_fresh(call.actor)
        made = second_factors.begin(actor=call.actor, label=call.body.label.strip())
        return Answer(
            bodies.TotpSetup(
                setup_id=made.id,
                method="totp",
                secret=made.secret,
                otpauth_uri=made.uri,
                qr_svg=made.qr_svg,
                digits=6,
                period_seconds=30,
                algorithm="SHA1",
                expires_at=made.expires_at,
            ),
            201,
            headers=NO_STORE,
        )


class TotpConfirmView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_totp_confirm",
        summary="Turn an authenticator app on",
        body=bodies.TotpConfirm,
        answers={200: bodies.TotpEnabled},
        raises=[errors.NoPendingSetup, errors.MfaInvalid, errors.MfaAttempts],
    )
    def post(self, call: Call[bodies.TotpConfirm]) -> Answer:
        """By its first code. The ten backup codes are shown this once."""
        now = timezone.now()
        made = second_factors.confirm(actor=call.actor, code=call.body.code, setup_id=call.body.setup_id, now=now)
        until = logins.step_up(actor=call.actor, factors=[Factor.TOTP], now=now)
        return Answer(
            bodies.TotpEnabled(enabled_at=made.enabled_at, backup_codes=made.backup_codes, fresh_until=until),
            headers=NO_STORE,
        )


class TotpDisableView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_totp_disable",
        summary="Give up the authenticator app",
        body=bodies.TotpDisable,
        answers={200: bodies.SecondFactorsEnded},
        raises=[errors.MfaNotEnabled, errors.PolicyRequiresMfa, *WRONG_CODE, *WRONG_PASSWORD],
    )
    def post(self, call: Call[bodies.TotpDisable]) -> Answer:
        """By the password and a code. The backup codes go with it, and every other login of yours ends."""
        ended = second_factors.disable(actor=call.actor, password=call.body.password, code=call.body.code)
        return Answer(bodies.SecondFactorsEnded(revoked_sessions=ended))


class BackupCodesView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_backup_codes",
        summary="Make ten new backup codes",
        body=bodies.BackupCodesBegin,
        answers={200: bodies.BackupCodesBody},
        raises=[errors.MfaNotEnabled, errors.FreshLoginRequired],
    )
    def post(self, call: Call[bodies.BackupCodesBegin]) -> Answer:
        """In place of all earlier ones; shown this once. Needs a login, or a proof, of the last ten minutes."""
        logins.require_fresh(call.actor)
        made = second_factors.codes(actor=call.actor, regenerate=True)
        return Answer(bodies.BackupCodesBody(codes=made.codes, generated_at=made.generated_at), headers=NO_STORE)


class StepUpView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_step_up",
        summary="Prove yourself anew",
        body=bodies.StepUp,
        answers={200: bodies.Fresh},
        raises=[*WRONG_CODE, *WRONG_PASSWORD, errors.FreshLoginRequired, InvalidInput],
    )
    def post(self, call: Call[bodies.StepUp]) -> Answer:
        """Marks the login at hand as fresh for ten minutes: by a code of your second factor, or the password if you have none."""
        return Answer(bodies.Fresh(fresh_until=_stepped_up(call.actor, call.body)), headers=NO_STORE)


class StepUpCodeView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_step_up_send_code",
        summary="Have a code for proving yourself mailed",
        body=bodies.BackupCodesBegin,
        answers={202: bodies.CodeSent},
        raises=[errors.MfaMethodUnavailable],
    )
    def post(self, call: Call[bodies.BackupCodesBegin]) -> Answer:
        """For whoever has set up no second factor. At most one mail a minute."""
        own = methods(call.actor.user_id)
        if Factor.EMAIL_CODE not in own:
            raise errors.MfaMethodUnavailable(methods=[*own])
        return Answer(bodies.CodeSent(sent_to=mail_codes.send(User.objects.get(pk=call.actor.user_id))), 202)


def client_of(request: Request) -> Client:
    """Who asks, as this door sees them."""
    return Client(
        AUTERITY.name,
        AUTERITY.access_seconds,
        address=request.META.get("REMOTE_ADDR", ""),
        user_agent=request.headers.get("User-Agent", ""),
    )


def _stepped_up(actor: Actor, body: bodies.StepUp) -> datetime:
    if body.method is not None:
        return logins.step_up_by_code(actor=actor, method=body.method, code=body.code)
    if body.password is None:
        raise InvalidInput.of("method", "Send a method and its code, or a password.", "required")
    return logins.step_up_by_password(actor=actor, password=body.password)
