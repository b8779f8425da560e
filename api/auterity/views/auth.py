"""`/api/auth`: registration, login and tokens."""

from __future__ import annotations

from typing import Any

from accounts import errors, inputs, selectors, services
from accounts.selectors import Profile
from api.auterity.bodies import auth as bodies
from api.auterity.dialect import AuterityView
from api.base import Answer, Call, operation
from api.logins import NO_STORE, REFUSALS
from api.needs import OPEN, PERSON, SIGNED_IN
from auterity.kernel.access import Role, shown_roles
from auterity.kernel.errors import InvalidInput, PermissionDenied

TOKEN_ERRORS = (errors.TokenInvalid, errors.TokenExpired)


class RegisterView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        summary="Register a person and their organization",
        id="auth_register",
        body=bodies.Register,
        answers={201: bodies.UserBody},
        raises=[InvalidInput, errors.EmailTaken, errors.RegistrationClosed],
    )
    def post(self, call: Call[bodies.Register]) -> Answer:
        """Whoever creates an organization is its admin; without a company the organization is a personal one."""
        made = services.register(
            email=call.body.email,
            password=call.body.password,
            first_name=call.body.first_name,
            last_name=call.body.last_name,
            company=call.body.company or call.body.organization_name,
        )
        role = Role(made.membership.role)
        profile = Profile(made.user, made.organization, role, shown_roles(role), [])
        return Answer(bodies.UserBody(**_user(profile)), 201)


class LoginView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        summary="Log in",
        id="auth_login",
        body=bodies.Login,
        answers={200: bodies.LoggedIn},
        raises=[InvalidInput, *(each for each in REFUSALS if each is not errors.MfaInvalid)],  # It takes no code.
    )
    def post(self, call: Call[bodies.Login]) -> Answer:
        """Wrong credentials are one answer, whatever the cause. Where a second factor is on, the answer has `mfa_required`,
        `mfa_token` and `methods` instead of tokens; `/api/auth/mfa` finishes the login."""
        pair = services.login(
            email=inputs.email(call.body.email),
            password=call.body.password,
            dialect=self.dialect.name,
            access_seconds=self.dialect.access_seconds,
            address=call.request.META.get("REMOTE_ADDR", ""),
            user_agent=call.request.headers.get("User-Agent", ""),
        )
        return Answer(tokens_body(pair), headers=NO_STORE, sparse=True)


class MeView(AuterityView):
    @operation(
        needs=SIGNED_IN, id="auth_me", summary="The signed-in user", answers={200: bodies.Me}, raises=TOKEN_ERRORS
    )
    def get(self, call: Call[None]) -> Answer:
        """Roles and permissions as they are now, not as the token says."""
        profile = selectors.profile(call.actor)
        return Answer(
            bodies.Me(
                **_user(profile),
                permissions=profile.permissions,
                email_verified=profile.user.email_verified_at is not None,
            ),
            headers=NO_STORE,
        )


class RefreshView(AuterityView):
    public = True

    @operation(
        needs=OPEN,
        id="auth_refresh",
        summary="Exchange a token for a new one",
        body=bodies.Refresh,
        answers={200: bodies.Tokens},
        raises=TOKEN_ERRORS,
    )
    def post(self, call: Call[bodies.Refresh]) -> Answer:
        """Takes the refresh token in the body or as bearer, or a still valid access token as bearer. Each works once; using one
        a second time ends the whole login."""
        scheme, _, bearer = call.request.headers.get("Authorization", "").partition(" ")
        token = call.body.refresh_token or (bearer.strip() if scheme.lower() == "bearer" else "")
        if not token:
            raise errors.NotAuthenticated("Send the refresh token as bearer or in the body.")
        return Answer(
            tokens_body(services.refresh(token=token, access_seconds=self.dialect.access_seconds)),
            headers=NO_STORE,
            sparse=True,
        )


class LogoutView(AuterityView):
    @operation(
        needs=PERSON,
        id="auth_logout",
        summary="Log out",
        body=bodies.Logout,
        answers={204: None},
        raises=TOKEN_ERRORS,
    )
    def post(self, call: Call[bodies.Logout]) -> Answer:
        """Ends this login at once, everywhere: its access tokens, its refresh token, its open sockets."""
        services.logout(actor=call.actor, refresh_token=call.body.refresh_token)
        return Answer(None, 204)


class CrossSystemTokenView(AuterityView):
    @operation(
        needs=PERSON,
        summary="A token for another system",
        id="auth_cross_system_token",
        body=bodies.CrossSystem,
        answers={200: bodies.CrossSystemToken},
        raises=[*TOKEN_ERRORS, PermissionDenied, InvalidInput],
    )
    def post(self, call: Call[bodies.CrossSystem]) -> Answer:
        """For one hour, with permissions the caller has. It opens nothing here."""
        made = services.cross_system_token(
            actor=call.actor, target_system=call.body.target_system, permissions=call.body.permissions
        )
        return Answer(
            bodies.CrossSystemToken(token=made.token, expires_at=made.expires_at, permissions=made.permissions),
            headers=NO_STORE,
        )


def tokens_body(pair: services.TokenPair) -> bodies.Tokens:
    tokens = bodies.Tokens(access_token=pair.access_token, token_type="bearer", expires_in=pair.expires_in)  # noqa: S106  Not a password.
    if pair.refresh_token is not None:
        tokens.refresh_token = pair.refresh_token
    return tokens


def _user(profile: Profile) -> dict[str, Any]:
    user = profile.user
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "company": profile.company,
        "organization_name": profile.organization.name,
        "organization_id": profile.organization.id,
        "is_active": user.is_active,
        "created_at": user.created_at,
        "role": profile.role_name or profile.role.value,
        "roles": profile.roles,
    }
