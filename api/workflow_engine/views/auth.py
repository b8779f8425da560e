"""`/api/v1/auth`: logins of the workflow engine's clients, and their ends."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.parsers import FormParser, MultiPartParser

from accounts import errors, selectors, services
from accounts.services import TokenPair
from api import logins
from api.base import Answer, Call, operation
from api.needs import OPEN, SIGNED_IN
from api.parsers import JsonParser
from api.problems import RefreshInvalid
from api.workflow_engine.bodies import auth as bodies
from api.workflow_engine.dialect import WorkflowEngineView

NO_STORE = {"Cache-Control": "no-store"}


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
        raises=[errors.WrongCredentials, errors.AccountInactive],
    )
    def post(self, call: Call[bodies.JwtLogin]) -> Answer:
        """Wrong credentials are one answer, whatever the cause."""
        pair = services.login(
            email=call.body.username,
            password=call.body.password,
            dialect=self.dialect.name,
            access_seconds=self.dialect.access_seconds,
            address=logins.address(call.request),
            user_agent=logins.user_agent(call.request),
        )
        return tokens_answer(pair)


class JwtRefreshView(WorkflowEngineView):
    public = True
    raw = True

    @operation(
        id="jwt_refresh",
        summary="Exchange a token for a new one",
        body=bodies.JwtRefresh,
        answers={200: bodies.JwtTokens},
        needs=OPEN,
        raises=[RefreshInvalid, errors.TokenExpired],
    )
    def post(self, call: Call[bodies.JwtRefresh]) -> Answer:
        """Takes the refresh token in the body, or a still valid access token as bearer. Each works once; using one a second time
        ends the whole login."""
        token = call.body.refresh_token or logins.bearer_token(call.request)
        try:
            return tokens_answer(services.refresh(token=token, access_seconds=self.dialect.access_seconds))
        except errors.TokenInvalid as error:
            raise RefreshInvalid from error


class JwtLogoutView(WorkflowEngineView):
    @operation(
        id="jwt_logout", summary="Log out", body=bodies.JwtLogout, answers={200: bodies.LoggedOut}, needs=SIGNED_IN
    )
    def post(self, call: Call[bodies.JwtLogout]) -> Answer:
        """Ends this login at once, everywhere: its tokens and its open sockets; or every login of yours."""
        ended = 1
        if call.body.all_sessions:
            ended = services.end_all_sessions(user_ids=[call.actor.user_id], reason="logout")
        else:
            services.logout(actor=call.actor, refresh_token=call.body.refresh_token)
        return Answer(bodies.LoggedOut(revoked_sessions=ended, logged_out_at=timezone.now()), headers=NO_STORE)


def tokens_answer(pair: TokenPair) -> Answer:
    profile = selectors.profile(pair.actor)
    return Answer(
        bodies.JwtTokens.model_validate(
            {
                "access_token": pair.access_token,
                "token_type": "Bearer",
                "expires_in": pair.expires_in,
                "user_id": profile.user.pk,
                "role": logins.shown_role(profile),
                "session_id": pair.actor.session_id,
            }
            | ({"refresh_token": pair.refresh_token} if pair.refresh_token is not None else {})
        ),
        headers=NO_STORE,
        sparse=True,
    )
