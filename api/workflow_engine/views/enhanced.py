"""`/api/v1/enhanced`: a login finished or proved anew by any factor, what it is, and what it would be let do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts import errors, guesses, mail_codes, networks, overview, own_sessions, policies, risk, selectors, tiers
from accounts import logins as account_logins
from accounts.factors import Factor, methods
from accounts.models import Session, User
from accounts.pairs import TokenPair
from api import logins
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from api.problems import SessionEnded
from api.socket_limits import PLACES
from api.workflow_engine.bodies import enhanced as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from api.workflow_engine.views.enhanced_auth import LoginAtHandView, new_login, risk_body
from api.workflow_engine.views.webauthn import as_browsers_name_it
from audit import trail
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from identity import errors as passkey_errors
from identity import passkeys
from workflows import errors as workflow_errors
from workflows import selectors as workflow_selectors

_CODES = {"backup_codes": "totp"}  # They come with an authenticator.
TRIES = guesses.ONE_LOGIN.tries  # A right code clears what was wrong before.


class MultiFactorView(WorkflowEngineView):
    public = True

    @operation(
        id="enhanced_multi_factor",
        summary="Finish a login by a second factor, or prove yourself anew",
        body=bodies.MultiFactor,
        answers={200: bodies.MultiFactorDone},
        needs=OPEN,
        raises=[
            errors.MfaMethodUnavailable,
            errors.MfaTokenInvalid,
            errors.MfaInvalid,
            errors.MfaAttempts,
            errors.AccountInactive,
            errors.AddressNotAllowed,
            passkey_errors.ChallengeInvalid,
            passkey_errors.AssertionInvalid,
            passkey_errors.PasskeyCloned,
            InvalidInput,
        ],
    )
    def post(self, call: Call[bodies.MultiFactor]) -> Answer:
        """With the `mfa_token` of a login that waits, the answer has its tokens. With a bearer token or a cookie alone, that
        login counts as fresh for ten minutes. `send_code` has a code mailed. Five wrong codes destroy the `mfa_token`."""
        if call.body.mfa_token:
            return self._for_a_login(call, call.body.mfa_token)
        actor = logins.caller(call.request)
        if actor is None or actor.session_id is None:
            raise errors.MfaTokenInvalid
        return self._for_somebody(call, actor)

    def _for_a_login(self, call: Call[bodies.MultiFactor], mfa_token: str) -> Answer:
        body = call.body
        if body.action == "send_code":
            if body.method != Factor.EMAIL_CODE:
                raise errors.MfaMethodUnavailable
            to = account_logins.send_code(mfa_token=mfa_token)
            return _sent(to, account_logins.tries_left(mfa_token=mfa_token))
        client = logins.client(call.request, self.dialect)
        if body.method == Factor.WEBAUTHN:
            given = _assertion(body)
            pair: TokenPair = passkeys.sign_in(client=client, mfa_token=mfa_token, **given).pair
        else:
            pair = account_logins.finish(mfa_token=mfa_token, method=body.method, code=_code(body), client=client)
        until = None
        if body.trust_device_days:
            session = Session.objects.get(pk=pair.session_id)
            until = own_sessions.trust_session(session, days=body.trust_device_days, now=timezone.now())
        shown, kept = new_login(call, pair)
        done = bodies.MultiFactorDone(verified=True, attempts_left=TRIES, trusted_until=until, **shown)
        return Answer(done, headers=NO_STORE, cookies=kept)

    def _for_somebody(self, call: Call[bodies.MultiFactor], actor: Actor) -> Answer:
        body = call.body
        if body.action == "send_code":
            if body.method != Factor.EMAIL_CODE or Factor.EMAIL_CODE not in methods(actor.user_id):
                raise errors.MfaMethodUnavailable(methods=[*methods(actor.user_id)])
            to = mail_codes.send(User.objects.get(pk=actor.user_id))
            return _sent(to, account_logins.tries_left(actor=actor))
        if body.method == Factor.WEBAUTHN:
            until, _ = passkeys.step_up(actor=actor, **_assertion(body))
        else:
            until = account_logins.step_up_by_code(actor=actor, method=body.method, code=_code(body))
        trusted = None
        if body.trust_device_days:
            session = account_logins.session_of(actor)
            trusted = own_sessions.trust_session(session, days=body.trust_device_days, now=timezone.now())
        done = bodies.MultiFactorDone(verified=True, attempts_left=TRIES, fresh_until=until, trusted_until=trusted)
        return Answer(done, headers=NO_STORE)


class SessionInfoView(LoginAtHandView):
    @operation(
        id="enhanced_session_info",
        summary="The login at hand",
        answers={200: bodies.SessionInfo},
        needs=PERSON,
        raises=[SessionEnded],
    )
    def get(self, call: Call[None]) -> Answer:
        """With how its risk was judged when it began."""
        actor, now = call.actor, timezone.now()
        session = account_logins.session_of(actor)
        profile = selectors.profile(actor)
        trusted_until = own_sessions.trusted_until(session, now=now)
        return Answer(
            bodies.SessionInfo.model_validate(
                {
                    "session_id": session.pk,
                    "user_id": actor.user_id,
                    "organization_id": actor.organization_id,
                    "role": logins.shown_role(profile),
                    "permissions": sorted(actor.permissions),
                    "tier": tiers.current(actor, now=now).value,
                    "auth_methods": session.factors,
                    "created_at": session.created_at,
                    "expires_at": session.expires_at,
                    "last_seen_at": session.last_seen_at,
                    "fresh_until": account_logins.fresh_until(actor, now=now),
                    "ip": session.address,
                    "user_agent": session.user_agent,
                    "device": {
                        "name": session.device_name or None,
                        "trusted": trusted_until is not None,
                        "trusted_until": trusted_until,
                    },
                    "risk": risk_body(session.risk),
                    "other_sessions": own_sessions.alive(actor, now=now).exclude(pk=session.pk).count(),
                    "websocket_connections": PLACES.held_here(actor.user_id),
                }
            ),
            headers=NO_STORE,
        )


class SecurityCheckView(WorkflowEngineView):
    @operation(
        id="enhanced_security_check",
        summary="Whether a sensitive action would be let through",
        body=bodies.SecurityCheck,
        answers={200: bodies.SecurityChecked},
        needs=PERSON,
        raises=[errors.MemberNotFound, workflow_errors.WorkflowNotFound],
    )
    def post(self, call: Call[bodies.SecurityCheck]) -> Answer:
        """By the rules that the action itself is held to, at this moment. The check is in the audit trail and changes nothing."""
        body, actor, now = call.body, call.actor, timezone.now()
        _see(actor, body)
        client = logins.client(call.request, self.dialect, fingerprint=body.device_fingerprint or "")
        found = overview.check(actor, body.action, now=now)
        rules = policies.of(actor.organization_id)
        missing = [_CODES.get(each, each) for each in found.missing]
        if rules.allowed_networks and not networks.within(client.address, rules.allowed_networks):
            missing.append("policy_ip")
        missing, allowed = list(dict.fromkeys(missing)), not missing
        judged = risk.assess(actor.user_id, client, rules, now=now).as_json()
        check_id = uuid4()
        trail.record(
            "security.action.checked",
            "check",
            organization_id=actor.organization_id,
            actor=actor,
            resource_type=body.action,
            resource_id=body.resource_id or "",
            outcome="success" if allowed else "denied",
            details={"check_id": str(check_id), "missing": missing, "risk_score": judged["score"]},
        )
        return Answer(
            bodies.SecurityChecked.model_validate(
                {
                    "allowed": allowed,
                    "action": found.action,
                    "required_tier": found.required.value,
                    "current_tier": found.current.value,
                    "missing": missing,
                    "step_up": {
                        "required": "fresh_login" in missing,
                        "methods": [*found.methods],
                        "path": "/api/v1/enhanced/multi-factor",
                    },
                    "risk": judged,
                    "valid_until": found.valid_until if allowed else None,
                    "check_id": check_id,
                }
            ),
            headers=NO_STORE,
        )


def _see(actor: Actor, body: bodies.SecurityCheck) -> None:
    """Raises where the actor cannot see what the check is about."""
    if body.resource_id is None or body.resource_id == actor.user_id:
        return
    if body.action == "execute_workflow":
        workflow_selectors.get_workflow(actor=actor, workflow_id=body.resource_id)
    else:
        selectors.member(actor, body.resource_id)


def _code(body: bodies.MultiFactor) -> str:
    if not body.code:
        raise InvalidInput.of("code", "Send the code.", "required")
    return body.code


def _assertion(body: bodies.MultiFactor) -> dict[str, Any]:
    if body.challenge_id is None or body.credential is None:
        raise InvalidInput.of("credential", "Send what the browser answered, and the challenge's id.", "required")
    return {"ceremony_id": body.challenge_id, "credential": as_browsers_name_it(body.credential)}


def _sent(to: str, left: int) -> Answer:
    return Answer(bodies.MultiFactorDone(verified=False, code_sent_to=to, attempts_left=left), headers=NO_STORE)
