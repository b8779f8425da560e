"""`/v1/auth`: logins of the orchestrator's clients, and their second factor."""

from __future__ import annotations

from accounts import errors, inputs, second_factors, services
from accounts import logins as account_logins
from api import logins
from api.base import Answer, Call, operation
from api.logins import NO_STORE
from api.needs import OPEN, PERSON
from api.orchestrator.bodies import auth as bodies
from api.orchestrator.dialect import OrchestratorView
from auterity.kernel.errors import InvalidInput


class OrchestratorLoginView(OrchestratorView):
    public = True

    @operation(
        id="login",
        summary="Log in",
        body=bodies.OrchestratorLogin,
        answers={200: bodies.OrchestratorLoginAnswer},
        needs=OPEN,
        raises=[InvalidInput, *logins.REFUSALS],
    )
    def post(self, call: Call[bodies.OrchestratorLogin]) -> Answer:
        """Tokens for a day. Where a second factor is on and no `otp_code` was sent, the answer has `mfa_required`, `mfa_token`
        and `methods` instead of tokens."""
        body = call.body
        email = inputs.email(body.email)
        pair = logins.by_password(
            call.request, self.dialect, email=email, password=body.password, code=body.otp_code, remember=True
        )
        actor = pair.actor
        user = bodies.OrchestratorUser.model_validate(
            {"id": actor.user_id, "email": actor.email, "organization_id": actor.organization_id, "role": actor.role}
        )
        return Answer(
            bodies.OrchestratorLoggedIn(
                access_token=pair.access_token,
                refresh_token=pair.refresh_token or "",
                expires_in=pair.expires_in,
                user=user,
            ),
            headers=NO_STORE,
        )


class OrchestratorRefreshView(OrchestratorView):
    public = True

    @operation(
        id="refresh",
        summary="Exchange a refresh token for new tokens",
        body=bodies.OrchestratorRefresh,
        answers={200: bodies.OrchestratorTokens},
        needs=OPEN,
        raises=[errors.TokenInvalid, errors.TokenExpired],
    )
    def post(self, call: Call[bodies.OrchestratorRefresh]) -> Answer:
        """Each works once; using one a second time ends the whole login."""
        pair = services.refresh(
            token=call.body.refresh_token, access_seconds=self.dialect.access_seconds, refresh_only=True
        )
        return Answer(
            bodies.OrchestratorTokens(
                access_token=pair.access_token, refresh_token=pair.refresh_token or "", expires_in=pair.expires_in
            ),
            headers=NO_STORE,
        )


class OrchestratorLogoutView(OrchestratorView):
    @operation(id="logout", summary="Log out", answers={200: bodies.OrchestratorMessage}, needs=PERSON)
    def post(self, call: Call[None]) -> Answer:
        """Ends this login at once, everywhere."""
        services.logout(actor=call.actor)
        return Answer(bodies.OrchestratorMessage(message="Successfully logged out"), headers=NO_STORE)


class EnrolView(OrchestratorView):
    @operation(
        id="mfa_enroll",
        summary="Begin to set up a second factor",
        answers={201: bodies.Enrolment},
        needs=PERSON,
        raises=[errors.MfaAlreadyEnabled, errors.FreshLoginRequired, errors.OwnLoginRequired],
    )
    def post(self, call: Call[None]) -> Answer:
        """Within ten minutes of a login. Off until a code of it was verified, within ten minutes more."""
        account_logins.require_fresh(call.actor)
        setup, codes = second_factors.begin_with_codes(actor=call.actor)
        return Answer(
            bodies.Enrolment(secret=setup.secret, otpauth_uri=setup.uri, recovery_codes=codes), 201, headers=NO_STORE
        )


class EnrolmentCodeView(OrchestratorView):
    @operation(
        id="mfa_verify",
        summary="Turn the second factor on by its first code",
        body=bodies.EnrolmentCode,
        answers={200: bodies.Enrolled},
        needs=PERSON,
        raises=[errors.NoPendingSetup, errors.MfaInvalid, errors.MfaAttempts],
    )
    def post(self, call: Call[bodies.EnrolmentCode]) -> Answer:
        """From then on a login needs `otp_code`."""
        second_factors.confirm(actor=call.actor, code=call.body.otp_code, keep_codes=True)
        return Answer(bodies.Enrolled(mfa_enabled=True), headers=NO_STORE)
