"""`/api/v1/2fa`: an authenticator app set up, used and given up, and its backup codes."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from accounts import errors, factors, logins, second_factors, tiers
from accounts.factors import Factor
from api import csrf
from api.base import Answer, Call, operation
from api.logins import NO_STORE, code_kinds
from api.needs import PERSON
from api.problems import CsrfFailed, RateLimited
from api.workflow_engine.bodies import two_factors as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from auterity.kernel.access import Actor

DIGITS, PERIOD_SECONDS, ALGORITHM = 6, 30, "SHA1"  # What every app knows (RFC 6238).


class TwoFactorSetupView(WorkflowEngineView):
    @operation(
        id="twofa_setup",
        summary="Begin to set up an authenticator app",
        body=bodies.TwoFactorSetup,
        answers={201: bodies.TwoFactorSecret},
        needs=PERSON,
        raises=[
            errors.MfaAlreadyEnabled,
            errors.FreshLoginRequired,
            errors.WrongCredentials,
            errors.AccountLocked,
            errors.OwnLoginRequired,
        ],
        says="Scan the code, then send the first code to /api/v1/2fa/verify.",
    )
    def post(self, call: Call[bodies.TwoFactorSetup]) -> Answer:
        """The secret is shown once, and counts once a code of it was verified within ten minutes. Needs a login of the last ten
        minutes, or the password."""
        if call.body.password is not None:
            logins.step_up_by_password(actor=call.actor, password=call.body.password)
        logins.require_fresh(call.actor)
        made = second_factors.begin(actor=call.actor, label=call.body.label.strip())
        return Answer(
            bodies.TwoFactorSecret(
                setup_id=made.id,
                method="totp",
                secret=made.secret,
                otpauth_uri=made.uri,
                qr_svg=made.qr_svg,
                digits=DIGITS,
                period_seconds=PERIOD_SECONDS,
                algorithm=ALGORITHM,
                expires_at=made.expires_at,
            ),
            201,
            headers=NO_STORE,
        )


class TwoFactorVerifyView(WorkflowEngineView):
    @operation(
        id="twofa_verify",
        summary="Turn the authenticator app on, or prove yourself by it",
        body=bodies.TwoFactorCode,
        answers={200: bodies.TwoFactorVerified},
        needs=PERSON,
        raises=[errors.NoPendingSetup, errors.MfaInvalid, RateLimited],
    )
    def post(self, call: Call[bodies.TwoFactorCode]) -> Answer:
        """While one is being set up, the first right code turns it on and shows ten backup codes once. Later ones mark the login
        at hand as fresh for ten minutes."""
        now = timezone.now()
        try:
            if factors.enrolled(call.actor.user_id):
                return _answer(call.actor, _stepped_up(call.actor, call.body, now), [], "step_up")
            made = second_factors.confirm(actor=call.actor, code=call.body.code, setup_id=call.body.setup_id, now=now)
        except errors.MfaAttempts as error:
            raise RateLimited("Too many wrong codes. Wait before you send the next one.", **error.details) from error
        until = logins.step_up(actor=call.actor, factors=[Factor.TOTP], now=now)
        return _answer(call.actor, until, made.backup_codes, "enabled")


class TwoFactorDisableView(WorkflowEngineView):
    @operation(
        id="twofa_disable",
        summary="Give up the authenticator app",
        body=bodies.TwoFactorDisable,
        answers={200: bodies.TwoFactorDisabled},
        needs=PERSON,
        raises=[
            errors.MfaNotEnabled,
            errors.WrongCredentials,
            errors.AccountLocked,
            errors.MfaInvalid,
            errors.MfaAttempts,
            errors.PolicyRequiresMfa,
        ],
        says="The second factor is off.",
    )
    def post(self, call: Call[bodies.TwoFactorDisable]) -> Answer:
        """By the password and a code, which may be a backup one. The backup codes go with it; your other logins end."""
        before = tiers.current(call.actor)
        ended = second_factors.disable(actor=call.actor, password=call.body.password, code=call.body.code or "")
        return Answer(
            bodies.TwoFactorDisabled(
                enabled=False,
                disabled_at=timezone.now(),
                tier_before=before.value,
                tier_after=tiers.current(call.actor).value,
                revoked_sessions=ended,
            ),
            headers=NO_STORE,
        )


class TwoFactorBackupCodesView(WorkflowEngineView):
    @operation(
        id="twofa_backup_codes",
        summary="Your backup codes",
        query=bodies.BackupCodesQuery,
        answers={200: bodies.TwoFactorBackupCodes},
        needs=PERSON,
        whole=True,
        raises=[errors.MfaNotEnabled, errors.FreshLoginRequired, errors.OwnLoginRequired, CsrfFailed],
    )
    def get(self, call: Call[None]) -> Answer:
        """How many are left. Where there never were any, or with `regenerate` and a fresh login, ten new ones, shown once."""
        if call.query.regenerate:
            csrf.check_even_reading(call.request._request)
            logins.require_fresh(call.actor)
        found = second_factors.codes(actor=call.actor, regenerate=call.query.regenerate)
        return Answer(
            bodies.TwoFactorBackupCodes.model_validate(found, from_attributes=True),
            headers=NO_STORE,
        )


def _stepped_up(actor: Actor, body: bodies.TwoFactorCode, now: datetime) -> datetime:
    method = body.method or ("totp" if code_kinds(body.code)[0] else "backup_code")
    return logins.step_up_by_code(actor=actor, method=method, code=body.code, now=now)


def _answer(actor: Actor, until: datetime, codes: list[str], purpose: str) -> Answer:
    found = second_factors.standing(actor)
    return Answer(
        bodies.TwoFactorVerified.model_validate(
            {
                "verified": True,
                "purpose": purpose,
                "enabled": found.totp_enabled_at is not None,
                "enabled_at": found.totp_enabled_at,
                "backup_codes": codes,
                "backup_codes_remaining": found.backup_codes_remaining,
                "fresh_until": until,
            }
        ),
        headers=NO_STORE,
    )
