"""`/api/v1/webauthn`: passkeys registered and used."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from accounts import errors as login_errors
from accounts import selectors, tiers
from api import logins
from api.base import Answer, Call, operation
from api.cookies import Cookie
from api.needs import OPEN, PERSON
from api.workflow_engine.bodies import webauthn as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from auterity.kernel.errors import InvalidInput
from identity import errors, passkeys
from identity.passkeys import Begun

NO_STORE = {"Cache-Control": "no-store"}


class RegisterBeginView(WorkflowEngineView):
    @operation(
        needs=PERSON,
        summary="Begin to register a passkey",
        id="webauthn_register_begin",
        body=bodies.RegisterBegin,
        answers={200: bodies.RegistrationBegun},
        raises=[InvalidInput, errors.PasskeyLimit, login_errors.FreshLoginRequired, login_errors.OwnLoginRequired],
    )
    def post(self, call: Call[bodies.RegisterBegin]) -> Answer:
        """Options for the browser, and a challenge that is good for five minutes in this login."""
        begun = passkeys.begin_registration(
            actor=call.actor,
            nickname=call.body.nickname or "",
            attachment=call.body.authenticator_attachment or "",
            resident_key=call.body.resident_key,
            user_verification=call.body.user_verification,
        )
        return Answer(_begun(bodies.RegistrationBegun, begun), headers=NO_STORE)


class RegisterCompleteView(WorkflowEngineView):
    @operation(
        needs=PERSON,
        summary="Register a passkey",
        id="webauthn_register_complete",
        body=bodies.RegisterComplete,
        answers={201: bodies.RegisteredCredential},
        raises=[
            InvalidInput,
            errors.ChallengeInvalid,
            errors.AttestationInvalid,
            errors.PasskeyExists,
            errors.PasskeyLimit,
        ],
    )
    def post(self, call: Call[bodies.RegisterComplete]) -> Answer:
        """The challenge is used up whatever comes of it."""
        added = passkeys.finish_registration(
            actor=call.actor,
            ceremony_id=call.body.challenge_id,
            credential=as_browsers_name_it(call.body.credential),
            nickname=call.body.nickname or "",
        )
        made = added.passkey
        return Answer(
            bodies.RegisteredCredential(
                credential_id=made.credential_id,
                nickname=made.nickname,
                aaguid=made.aaguid,
                sign_count=made.sign_count,
                backup_eligible=made.backup_eligible,
                backed_up=made.backed_up,
                transports=made.transports,
                created_at=made.created_at,
                total_credentials=added.total,
                security_tier=tiers.current(call.actor).value,
            ),
            201,
        )


class AuthenticateBeginView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Begin to sign in with a passkey",
        id="webauthn_authenticate_begin",
        body=bodies.AuthenticateBegin,
        answers={200: bodies.AuthenticationBegun},
        raises=[InvalidInput, login_errors.MfaTokenInvalid],
    )
    def post(self, call: Call[bodies.AuthenticateBegin]) -> Answer:
        """Without a name any discoverable passkey will do. With a live token the answer proves its login anew."""
        named = call.body.username or call.body.mfa_token
        begun = passkeys.begin_authentication(
            username=call.body.username or "",
            mfa_token=call.body.mfa_token or "",
            actor=None if named else logins.somebody(call.request),
            user_verification=call.body.user_verification or "",
        )
        return Answer(_begun(bodies.AuthenticationBegun, begun), headers=NO_STORE)


class AuthenticateCompleteView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Sign in with a passkey",
        id="webauthn_authenticate_complete",
        body=bodies.AuthenticateComplete,
        answers={200: bodies.PasskeyTokens},
        raises=[
            InvalidInput,
            errors.ChallengeInvalid,
            errors.AssertionInvalid,
            errors.PasskeyCloned,
            login_errors.MfaTokenInvalid,
            login_errors.AccountInactive,
        ],
    )
    def post(self, call: Call[bodies.AuthenticateComplete]) -> Answer:
        """Opens a login, finishes one that waits for its second factor, or, with a live token, makes its login fresh."""
        credential = as_browsers_name_it(call.body.credential)
        actor = None if call.body.mfa_token else logins.somebody(call.request)
        if actor is not None and actor.session_id is not None:
            fresh_until, passkey = passkeys.step_up(
                actor=actor, ceremony_id=call.body.challenge_id, credential=credential
            )
            kept: tuple[Cookie, ...] = ()
            told: dict[str, Any] = {
                "access_token": logins.bearer_token(call.request) or None,
                "expires_in": logins.seconds_left(call.request),
                "refresh_token": None,
                "refresh_expires_in": None,
                "fresh_until": fresh_until,
            }
        else:
            signed_in = passkeys.sign_in(
                ceremony_id=call.body.challenge_id,
                credential=credential,
                client=logins.client(call.request, self.dialect, remember=call.body.remember_me),
                mfa_token=call.body.mfa_token or "",
            )
            pair, passkey, actor = signed_in.pair, signed_in.passkey, signed_in.pair.actor
            shown, kept = logins.handed_over(call.request, pair)
            told = {"expires_in": pair.expires_in, "refresh_expires_in": pair.refresh_expires_in, **shown}
        told |= {
            "session_id": actor.session_id,
            "user_id": actor.user_id,
            "role": logins.shown_role(selectors.profile(actor)),
            "credential": {"nickname": passkey.nickname, "last_used_at": passkey.last_used_at},
        }
        return Answer(bodies.PasskeyTokens.model_validate(told), headers=NO_STORE, cookies=kept)


_CAMEL = {
    "allow_credentials": "allowCredentials",
    "attestation_object": "attestationObject",
    "authenticator_data": "authenticatorData",
    "authenticator_selection": "authenticatorSelection",
    "client_data_json": "clientDataJSON",
    "display_name": "displayName",
    "exclude_credentials": "excludeCredentials",
    "pub_key_cred_params": "pubKeyCredParams",
    "raw_id": "rawId",
    "rp_id": "rpId",
    "user_handle": "userHandle",
    "user_verification": "userVerification",
}
_SNAKE = {camel: snake for snake, camel in _CAMEL.items()} | {
    "authenticatorAttachment": "authenticator_attachment",
    "requireResidentKey": "require_resident_key",
    "residentKey": "resident_key",
}


def _begun(shape: type[BaseModel], begun: Begun) -> BaseModel:
    return shape.model_validate(
        {
            "challenge_id": begun.id,
            "expires_at": begun.expires_at,
            "public_key": _renamed(begun.options, _SNAKE),
            "publicKey": begun.options,
        }
    )


def as_browsers_name_it(credential: BaseModel) -> dict[str, Any]:
    """What a browser's own call answered, in the spelling of the standard."""
    renamed: dict[str, Any] = _renamed(credential.model_dump(exclude_none=True), _CAMEL)
    return renamed


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(name, name): _renamed(each, names) for name, each in value.items()}
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value
