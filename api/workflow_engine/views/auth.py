"""`/api/v1/auth`: logins of the workflow engine's clients, and their ends."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request

from accounts import errors, selectors, services, tokens
from accounts import logins as account_logins
from accounts.pairs import TokenPair
from accounts.tokens import TokenKind
from api import cookies, csrf, logins
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from api.parsers import JsonParser
from api.problems import CsrfFailed, RefreshInvalid, SessionEnded
from api.workflow_engine.bodies import auth as bodies
from api.workflow_engine.dialect import WorkflowEngineView

LOGIN_ERRORS = (*logins.REFUSALS, errors.MfaRequired, errors.MfaAttempts)


class JwtLoginView(WorkflowEngineView):
    public = True
    raw = True
    parser_classes = [JsonParser, FormParser, MultiPartParser]

    @operation(
        summary="Log in",
        id="jwt_login",
        body=bodies.JwtLogin,
        answers={200: bodies.JwtTokens},
        needs=OPEN,
        raises=LOGIN_ERRORS,
    )
    def post(self, call: Call[bodies.JwtLogin]) -> Answer:
        """Wrong credentials are one answer, whatever the cause. Where a second factor is on and none was sent, the refusal's
        `details` have an `mfa_token` and the `methods`; `/api/v1/enhanced/multi-factor` finishes the login."""
        body = call.body
        pair = account_logins.by_password(
            email=selectors.address_of(body.username),
            password=body.password,
            totp_code=body.totp_code or "",
            backup_code=body.backup_code or "",
            client=logins.client(call.request, self.dialect, device_name=body.device_name, remember=body.remember_me),
        )
        return tokens_answer(call.request, pair)


class JwtRefreshView(WorkflowEngineView):
    public = True
    raw = True

    @operation(
        id="jwt_refresh",
        summary="Exchange a token for a new one",
        body=bodies.JwtRefresh,
        answers={200: bodies.JwtTokens},
        needs=OPEN,
        raises=[
            RefreshInvalid,
            SessionEnded,
            errors.RefreshReused,
            errors.NativeRefreshOnly,
            errors.TokenExpired,
            CsrfFailed,
        ],
    )
    def post(self, call: Call[bodies.JwtRefresh]) -> Answer:
        """Takes the refresh token in the body or in its cookie, or a still valid access token as bearer. Each works once; using
        one a second time ends the whole login."""
        request = call.request._request
        token = call.body.refresh_token or logins.bearer_token(call.request)
        by_cookie = not token
        token = token or cookies.refresh_token(request)
        try:
            claims = tokens.read(token, *((TokenKind.REFRESH,) if by_cookie else (TokenKind.REFRESH, TokenKind.ACCESS)))
        except errors.TokenInvalid as error:
            raise RefreshInvalid from error
        if by_cookie:
            csrf.require(request, claims.session_id)
        begun = selectors.login_dialect(claims.session_id)
        try:
            pair = services.refresh(
                token=token, access_seconds=logins.access_seconds_of(begun, self.dialect.access_seconds)
            )
        except (errors.RefreshReused, errors.NativeRefreshOnly):
            raise
        except errors.TokenInvalid as error:
            raise SessionEnded from error
        return tokens_answer(
            call.request, pair, in_cookies=by_cookie, token_type="Bearer" if begun == self.dialect.name else "bearer"
        )


class JwtLogoutView(WorkflowEngineView):
    @operation(id="jwt_logout", summary="Log out", body=bodies.JwtLogout, answers={200: bodies.LoggedOut}, needs=PERSON)
    def post(self, call: Call[bodies.JwtLogout]) -> Answer:
        """Ends this login at once, everywhere: its tokens and its open sockets; or every login of yours."""
        ended = 1
        if call.body.all_sessions:
            ended = services.end_all_sessions(user_ids=[call.actor.user_id], reason="logout")
        else:
            services.logout(actor=call.actor, refresh_token=call.body.refresh_token)
        return Answer(
            bodies.LoggedOut(revoked_sessions=ended, logged_out_at=timezone.now()),
            headers=NO_STORE,
            cookies=cookies.none_left(call.request._request),
        )


class CsrfTokenView(WorkflowEngineView):
    public = True
    raw = True

    @operation(
        id="csrf_token",
        summary="A token for changes that a browser asks for",
        answers={200: bodies.CsrfToken},
        needs=OPEN,
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """For the login that is known by cookie or bearer, else for the browser that asks; good for twelve hours."""
        request = call.request._request
        try:
            caller = logins.caller(call.request)
        except (errors.TokenInvalid, errors.TokenExpired):
            caller = None
        if caller is not None and caller.session_id is not None:
            return Answer(bodies.CsrfToken(csrf_token=csrf.for_session(caller.session_id)), headers=NO_STORE)
        token, cookie = csrf.for_browser(request)
        return Answer(bodies.CsrfToken(csrf_token=token), headers=NO_STORE, cookies=(cookie,))


def tokens_answer(
    request: Request,
    pair: TokenPair,
    *,
    in_cookies: bool | None = None,
    token_type: str = "Bearer",  # noqa: S107  Not a password.
) -> Answer:
    """The flat body of a login.

    `token_type` is as the document writes it that the login was begun by: 003's Bearer or 004's bearer.
    """
    profile = selectors.profile(pair.actor)
    shown = {
        "token_type": token_type,
        "expires_in": pair.expires_in,
        "user_id": profile.user.pk,
        "role": logins.shown_role(profile),
        "session_id": pair.session_id,
    }
    if pair.refresh_token is not None:
        shown["refresh_expires_in"] = pair.refresh_expires_in
    tokens, kept = logins.handed_over(request, pair, in_cookies=in_cookies)
    return Answer(bodies.JwtTokens.model_validate(shown | tokens), headers=NO_STORE, sparse=True, cookies=kept)
