"""`/api/v1/enhanced-auth`: a login that is judged by its risk, the login at hand looked at, and how an account is kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone
from rest_framework.response import Response

from accounts import (
    errors,
    overview,
    own_sessions,
    risk,
    selectors,
    services,
    tokens,
)
from accounts import logins as account_logins
from accounts.clients import Client
from accounts.credentials import LoginOutcome
from accounts.models import Session
from accounts.pairs import TokenPair
from accounts.tokens import TokenKind
from api import cookies, logins
from api.base import Answer, Call, operation
from api.frames import expiry_of
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from api.problems import DeviceMismatch, RefreshInvalid, SessionEnded
from api.tokens import Bearer, bearer_of
from api.workflow_engine.bodies import enhanced as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from api.workflow_engine.views.auth import LOGIN_ERRORS
from auterity.kernel.access import Actor
from identity import selectors as identity_selectors
from security import selectors as security_selectors

TRUST_DAYS = 30


class AdvancedLoginView(WorkflowEngineView):
    public = True

    @operation(
        id="enhanced_auth_advanced_login",
        summary="Log in, judged by risk",
        body=bodies.AdvancedLogin,
        answers={200: bodies.AdvancedLoggedIn},
        needs=OPEN,
        raises=[each for each in LOGIN_ERRORS if each is not errors.MfaRequired],
    )
    def post(self, call: Call[bodies.AdvancedLogin]) -> Answer:
        """A login that looks like the earlier ones is let in; one that does not is asked for a second factor, which
        `/api/v1/enhanced/multi-factor` takes, or refused. A second factor that is on is always asked for."""
        body = call.body
        device = body.device or bodies.LoginDevice()
        client = logins.client(
            call.request,
            self.dialect,
            device_name=device.name,
            fingerprint=device.fingerprint or "",
            remember=body.remember_me,
        )
        try:
            pair = account_logins.by_password(
                email=selectors.address_of(body.username),
                password=body.password,
                totp_code=body.totp_code or "",
                client=client,
                judged=True,
            )
        except errors.MfaRequired as wanted:
            asked = bodies.WantedFactor(required=True, **wanted.details)
            answer = bodies.AdvancedLoggedIn(decision="challenge", mfa=asked, risk=risk_body(wanted.risk))
            return Answer(answer, headers=NO_STORE)
        if body.trust_device:
            own_sessions.trust(actor=pair.actor, client=client, days=TRUST_DAYS)
        shown, kept = new_login(call, pair)
        answer = bodies.AdvancedLoggedIn(
            decision="allow",
            mfa=bodies.WantedFactor(required=False, methods=[]),
            risk=risk_body(pair.risk),
            **shown,
        )
        return Answer(answer, headers=NO_STORE, cookies=kept)


class LoginAtHandView(WorkflowEngineView):
    """About the login behind the token: where that has ended, the refusal says so."""

    def _answer_problem(self, error: Exception, context: dict[str, Any]) -> Response:
        bearer = bearer_of(self.request._request)
        if type(error) is errors.TokenInvalid and isinstance(bearer, Bearer) and bearer.claims is not None:
            error = SessionEnded()
        return super()._answer_problem(error, context)


class SessionValidateView(LoginAtHandView):
    @operation(
        id="enhanced_auth_session_validate",
        summary="Look whether the login at hand is as it began",
        body=bodies.SessionValidate,
        answers={200: bodies.SessionValid},
        needs=PERSON,
        raises=[SessionEnded, DeviceMismatch, RefreshInvalid, errors.RefreshReused],
    )
    def post(self, call: Call[bodies.SessionValidate]) -> Answer:
        """What differs from where it began, and new tokens of the same login where they are asked for or soon needed. A login
        that was bound to a device ends when another one shows up with it."""
        session = account_logins.session_of(call.actor)
        here = logins.client(call.request, self.dialect, fingerprint=call.body.device_fingerprint or "")
        bound = _is_bound(session)
        if bound and here.fingerprint and risk.fingerprint_of(here) != session.fingerprint:
            own_sessions.revoke(actor=call.actor, session_id=session.pk)
            raise DeviceMismatch
        bearer = bearer_of(call.request._request)
        assert isinstance(bearer, Bearer)  # noqa: S101  A person's login came by one.
        expires_at = expiry_of(bearer.token)
        left = max(0, int((expires_at - timezone.now()).total_seconds()))
        seconds = logins.access_seconds_of(session.dialect, self.dialect.access_seconds)
        told: dict[str, Any] = {"renewed": False}
        kept: tuple[cookies.Cookie, ...] = ()
        refresh = call.body.refresh_token or (cookies.refresh_token(call.request._request) if bearer.by_cookie else "")
        # An access token buys one renewal: without a refresh token none is made that was not asked for.
        if call.body.renew or (call.body.renew is None and refresh and 2 * left < seconds):
            token = refresh or bearer.token
            try:
                claims = tokens.read(token, TokenKind.REFRESH, TokenKind.ACCESS)
            except (
                errors.TokenInvalid
            ) as error:  # It is the one sent with the request that is no good, not the login's.
                raise RefreshInvalid from error
            if claims.session_id != session.pk:
                raise RefreshInvalid
            pair = services.refresh(token=token, access_seconds=seconds)
            expires_at, left = timezone.now() + dt.timedelta(seconds=pair.expires_in), pair.expires_in
            shown, kept = logins.handed_over(call.request, pair, in_cookies=bearer.by_cookie)
            told = {"renewed": True, "expires_in": pair.expires_in, **shown}
        answer = bodies.SessionValid(
            valid=True,
            session_id=session.pk,
            user_id=session.user_id,
            expires_at=expires_at,
            seconds_left=left,
            bound_to_device=bound,
            anomalies=[
                bodies.SessionAnomaly.model_validate({"code": code, "detail": detail})
                for code, detail in own_sessions.differences(session, here)
            ],
            **told,
        )
        return Answer(answer, headers=NO_STORE, cookies=kept)


class SecurityStatusView(WorkflowEngineView):
    @operation(
        id="enhanced_auth_security_status",
        summary="How your account is kept",
        answers={200: bodies.SecurityStatus},
        needs=PERSON,
    )
    def get(self, call: Call[None]) -> Answer:
        """Your factors, open logins and the last logins that were tried. The score is the sum of what you have; each
        recommendation says how many points it would add."""
        return Answer(_status(call.actor, timezone.now()), headers=NO_STORE)


def risk_body(found: dict[str, Any] | None) -> bodies.Risk | None:
    return None if found is None else bodies.Risk.model_validate(found)


def new_login(call: Call[Any], pair: TokenPair) -> tuple[dict[str, Any], tuple[cookies.Cookie, ...]]:
    """The fields of `NewLogin`, and the cookies that hold the tokens where they were asked for."""
    profile = selectors.profile(pair.actor)
    shown: dict[str, Any] = {
        "expires_in": pair.expires_in,
        "session_id": pair.session_id,
        "user_id": profile.user.pk,
        "role": logins.shown_role(profile),
    }
    tokens, kept = logins.handed_over(call.request, pair)
    return shown | tokens, kept


def _is_bound(session: Session) -> bool:
    """Whether the login was begun by a device that named itself; others are known by their program's name alone."""
    program = Client(session.dialect, 0, user_agent=session.user_agent)
    return session.device_id is not None or session.fingerprint != risk.fingerprint_of(program)


def _status(actor: Actor, now: dt.datetime) -> bodies.SecurityStatus:
    found = overview.of(actor, now=now)
    changed_at = found.password_changed_at
    return bodies.SecurityStatus(
        score=found.score,
        tier=found.tier.value,
        email_verified=found.email_verified,
        password=bodies.PasswordAge(
            changed_at=changed_at,
            age_days=(now - changed_at).days if changed_at is not None else None,
            expires_at=found.password_expires_at,
        ),
        totp=bodies.TotpState(enabled=found.totp, backup_codes_remaining=found.backup_codes_remaining),
        passkeys=[
            bodies.ShownPasskey(
                credential_id=each.credential_id,
                nickname=each.nickname,
                created_at=each.created_at,
                last_used_at=each.last_used_at,
                suspended=each.suspended_at is not None,
            )
            for each in identity_selectors.passkeys(actor)
        ],
        sessions=[
            bodies.ShownSession(
                session_id=each.pk,
                current=each.pk == actor.session_id,
                ip=each.address,
                user_agent=each.user_agent,
                created_at=each.created_at,
                last_seen_at=each.last_seen_at,
            )
            for each in own_sessions.alive(actor, now=now)[:100]
        ],
        recent_logins=[
            bodies.ShownLogin(
                at=each.created_at,
                ip=each.address,
                success=each.outcome == LoginOutcome.SUCCESS,
                method=each.method,
                risk_score=each.risk_score,
            )
            for each in found.recent_logins
        ],
        failed_logins_24h=found.failed_logins_24h,
        open_incidents=security_selectors.open_about(actor),
        recommendations=[
            bodies.Recommendation(code=each.code, title=each.title, impact=each.points, action_path=each.action_path)
            for each in found.recommendations
        ],
    )
