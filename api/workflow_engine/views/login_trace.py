"""`/api/v1/auth/jwt/login-debug`: why somebody cannot log in, for support staff."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from accounts import login_trace, selectors
from accounts import logins as account_logins
from accounts.errors import MemberNotFound
from accounts.login_trace import Trace
from api import logins
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN
from api.workflow_engine.bodies import login_trace as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from api.workflow_engine.views.auth import LOGIN_ERRORS, tokens_answer
from auterity.kernel.access import Permission, Role


class LoginTraceView(WorkflowEngineView):
    public = True
    raw = True  # The envelope is there only for whoever may see details.

    @operation(
        id="jwt_login_debug",
        summary="Why a login fails",
        body=bodies.TracedLogin,
        answers={200: bodies.LoginTraced},
        needs=OPEN,
        raises=[*LOGIN_ERRORS, MemberNotFound],
    )
    def post(self, call: Call[bodies.TracedLogin]) -> Answer:
        """Every check of a login with its outcome, for an admin of the account's organization, or for everybody where the server
        is started with `AUTERITY_LOGIN_DEBUG`. For everybody else this is a login. Either way it counts as one that was tried."""
        body = call.body
        client = logins.client(call.request, self.dialect)
        asked_by = None if settings.LOGIN_DEBUG else logins.somebody(call.request)
        email = selectors.address_of(body.username)
        if not settings.LOGIN_DEBUG and (asked_by is None or not asked_by.may(Permission.ORGANIZATION_MANAGE)):
            pair = account_logins.by_password(
                email=email, password=body.password, totp_code=body.totp_code or "", client=client
            )
            return tokens_answer(call.request, pair)
        trace = login_trace.walk(
            email=email,
            password=body.password,
            totp_code=body.totp_code or "",
            client=client,
            issue_token=body.issue_token,
            asked_by=asked_by,
        )
        shown = self._shown(trace, getattr(call.request._request, "request_id", ""))
        return Answer({"success": True, "data": shown.model_dump(mode="json"), "message": "OK"}, headers=NO_STORE)

    def _shown(self, trace: Trace, request_id: str) -> bodies.LoginTrace:
        user, pair = trace.user, trace.pair
        return bodies.LoginTrace(
            authenticated=trace.problem is None,
            failure_code=None if trace.problem is None else self.dialect.wording(trace.problem).code,
            checks=[bodies.LoginCheck.model_validate(each, from_attributes=True) for each in trace.checks],
            account=bodies.TracedAccount(
                user_id=user.pk if user is not None else None,
                role="user" if trace.role == Role.MEMBER else trace.role,
                last_login_at=user.last_login if user is not None else None,
                failed_attempts=trace.failed_attempts,
                locked_until=trace.locked_until,
                mfa_methods=trace.methods,
            ),
            clock=bodies.ServerClock(server_time=timezone.now(), totp_drift_steps=trace.drift_steps),
            token=bodies.TracedToken(
                access_token=pair.access_token if pair is not None else None,
                token_type="Bearer" if pair is not None else None,
                expires_in=pair.expires_in if pair is not None else None,
            ),
            request_id=request_id,
        )
