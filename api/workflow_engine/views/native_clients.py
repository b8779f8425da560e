"""`/native/auth`: installed apps and their logins; `/native/api/authenticate`: narrow tokens for their background work."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from accounts import errors as login_errors
from accounts import selectors
from accounts.narrow import NarrowToken
from accounts.newcomers import Newcomer
from accounts.pairs import TokenPair
from api import logins
from api.base import Answer, Call, operation
from api.needs import OPEN
from api.problems import RefreshInvalid
from api.workflow_engine.bodies import native_clients as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from api.workflow_engine.views.auth import LOGIN_ERRORS, NO_STORE
from auterity.kernel.access import Scope
from auterity.kernel.errors import InvalidInput, ScopeDenied
from devices import background, errors, installations, proofs, renewals
from devices import selectors as devices
from devices.background import Signature

REFRESH_TOKEN, DEVICE, SESSION = "refresh_token", "device", "session"


class ClientRegisterView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Register an installation of the app",
        id="native_client_register",
        body=bodies.ClientRegister,
        answers={200: bodies.ClientRegistered, 201: bodies.ClientRegistered},
        raises=[
            InvalidInput,
            errors.RedirectUriInvalid,
            login_errors.RegistrationClosed,
            errors.UpgradeRequired,
        ],
    )
    def post(self, call: Call[bodies.ClientRegister]) -> Answer:
        """Once for each `install_id`: again, it is the same installation (200). With `user` an account is made too, which joins
        the organization that `invite_code` is of; where the address has one already, its owner is told by mail and the answer is
        the same."""
        body = call.body
        newcomer = None
        if (person := body.user) is not None:
            newcomer = Newcomer(person.email, person.password, person.first_name, person.last_name)
        try:
            made = installations.register(
                client_name=body.client_name,
                platform=body.platform,
                app_version=body.app_version,
                install_id=body.install_id,
                redirect_uri=body.redirect_uri or "",
                locale=body.locale,
                invite_code=body.invite_code,
                newcomer=newcomer,
            )
        except InvalidInput as error:
            raise _of_the_person(error) from error
        kept = made.installation
        shown = bodies.ClientRegistered(
            client_id=kept.pk,
            client_secret=made.secret,
            install_id=kept.install_id,
            redirect_uris=kept.redirect_uris,
            scopes=sorted(Scope),
            user_id=None,
            email_verification_sent=made.mailed,
            minimum_app_version=made.minimum_app_version,
            created_at=kept.created_at,
        )
        return Answer(shown, 201 if made.is_new else 200, headers=NO_STORE)


class NativeLoginView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Log in to an installation of the app",
        id="native_login",
        body=bodies.NativeLogin,
        answers={200: bodies.NativeLoggedIn},
        raises=[errors.ClientInvalid, errors.DeviceRevoked, *LOGIN_ERRORS],
    )
    def post(self, call: Call[bodies.NativeLogin]) -> Answer:
        """For 30 days. An installation that got a secret sends it. Wrong credentials are one answer, whatever the cause; where a
        second factor is owed the refusal has an `mfa_token`."""
        body = call.body
        totp_code, backup_code = logins.code_kinds(body.totp_code)
        pair = installations.login(
            client_id=body.client_id,
            client_secret=body.client_secret,
            email=selectors.address_of(body.username),
            password=body.password,
            totp_code=totp_code,
            backup_code=backup_code,
            device_id=body.device_id,
            client=logins.client(call.request, self.dialect, device_name=body.device_name),
        )
        profile = selectors.profile(pair.actor)
        user = profile.user
        person = bodies.NativePerson.model_validate(
            {
                "id": user.pk,
                "email": user.email,
                "full_name": f"{user.first_name} {user.last_name}".strip(),
                "role": logins.shown_role(profile),
                "organization_id": profile.organization.pk,
            }
        )
        registered = devices.is_active(user.pk, body.device_id)
        shown = bodies.NativeLoggedIn(**_tokens(pair), user=person, device_registered=registered)
        return Answer(shown, headers=NO_STORE)


class NativeRefreshView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Renew a login of an installation",
        id="native_refresh",
        body=bodies.NativeRefresh,
        answers={200: bodies.NativeTokens},
        raises=[
            RefreshInvalid,
            login_errors.RefreshReused,
            login_errors.TokenExpired,
            login_errors.AddressNotAllowed,
            errors.SignatureInvalid,
        ],
    )
    def post(self, call: Call[bodies.NativeRefresh]) -> Answer:
        """Each token works once, and only with its installation; one that is used a second time ends every login of it."""
        try:
            pair = renewals.refresh(
                client_id=call.body.client_id,
                refresh_token=call.body.refresh_token,
                device_id=call.body.device_id,
                signature=call.body.signature or "",
                client=logins.client(call.request, self.dialect),
            )
        except login_errors.RefreshReused:
            raise
        except login_errors.TokenInvalid as error:
            raise RefreshInvalid("This refresh token is not good here.") from error
        return Answer(bodies.NativeTokens(**_tokens(pair)), headers=NO_STORE)


class NativeExchangeView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Exchange a native login for a token with narrow scopes",
        id="native_api_authenticate",
        body=bodies.NativeExchange,
        answers={200: bodies.NarrowTokens},
        raises=[
            errors.GrantIncomplete,
            errors.ClientInvalid,
            RefreshInvalid,
            *proofs.REFUSALS,
            errors.NoDeviceLogin,
            login_errors.TokenInvalid,
            login_errors.TokenExpired,
            ScopeDenied,
        ],
    )
    def post(self, call: Call[bodies.NativeExchange]) -> Answer:
        """For a quarter of an hour. The token belongs to the login it was made of and ends with it; nothing of that login is used
        up."""
        body = call.body
        granted = _GRANTS[body.grant_type or _meant(body)](self, call, [Scope(each) for each in body.scopes])
        shown = bodies.NarrowTokens(
            api_token=granted.token,
            expires_in=granted.expires_in,
            scopes=granted.scopes,
            client_id=body.client_id,
            user_id=granted.standing.actor.user_id,
            session_id=granted.standing.session_id,
            device_id=granted.standing.device_id,
        )
        return Answer(shown, headers=NO_STORE)

    def of_refresh_token(self, call: Call[bodies.NativeExchange], scopes: list[Scope]) -> NarrowToken:
        _complete(call.body, REFRESH_TOKEN, "refresh_token")
        try:
            return background.by_refresh_token(
                client_id=call.body.client_id,
                refresh_token=call.body.refresh_token or "",
                device_id=call.body.device_id,
                scopes=scopes,
            )
        except login_errors.TokenInvalid as error:
            raise RefreshInvalid("This refresh token is not good here.") from error

    def of_device(self, call: Call[bodies.NativeExchange], scopes: list[Scope]) -> NarrowToken:
        body = call.body
        _complete(body, DEVICE, "device_id", "challenge_id", "signature")
        assert body.device_id and body.challenge_id and body.signature is not None  # noqa: S101, PT018  They are complete.
        return background.by_device(
            client_id=body.client_id,
            signed=Signature(body.device_id, body.challenge_id, body.signature),
            client=logins.client(call.request, self.dialect),
            scopes=scopes,
        )

    def of_login(self, call: Call[bodies.NativeExchange], scopes: list[Scope]) -> NarrowToken:
        actor = logins.caller(call.request)
        if actor is None or actor.session_id is None:
            raise errors.GrantIncomplete(grant_type=SESSION, missing=["Authorization"])
        return background.by_login(client_id=call.body.client_id, actor=actor, scopes=scopes)


_GRANTS: dict[str, Any] = {
    REFRESH_TOKEN: NativeExchangeView.of_refresh_token,
    DEVICE: NativeExchangeView.of_device,
    SESSION: NativeExchangeView.of_login,
}


def _meant(body: bodies.NativeExchange) -> str:
    if body.refresh_token is not None:
        return REFRESH_TOKEN
    return DEVICE if body.signature is not None or body.challenge_id is not None else SESSION


def _complete(body: bodies.NativeExchange, grant: str, *names: str) -> None:
    missing = [name for name in names if getattr(body, name) is None]
    if missing:
        raise errors.GrantIncomplete(grant_type=grant, missing=missing)


def _tokens(pair: TokenPair) -> dict[str, Any]:
    return {
        "access_token": pair.access_token,
        "expires_in": pair.expires_in,
        "refresh_token": pair.refresh_token,
        "refresh_expires_in": pair.refresh_expires_in,
        "session_id": pair.session_id,
        "server_time": timezone.now(),
    }


def _of_the_person(error: InvalidInput) -> InvalidInput:
    """What is wrong with the account is said of `user.…`, as it was sent."""
    person = {"email", "password", "first_name", "last_name"}
    for each in error.problems:
        each.field = f"user.{each.field}" if each.field in person else each.field
    return error
