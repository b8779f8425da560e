"""`/native/auth/device`: devices that prove themselves by a key."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from accounts import errors as login_errors
from api import logins
from api.base import Answer, Call, operation
from api.needs import OPEN, PERSON
from api.workflow_engine.bodies import native_devices as bodies
from api.workflow_engine.dialect import WorkflowEngineView
from api.workflow_engine.views.auth import LOGIN_ERRORS, NO_STORE
from auterity.kernel.errors import InvalidInput
from devices import challenges, errors, keys, proofs, selectors, services, versions
from devices.models import Device, DeviceChallenge


class DeviceRegisterView(WorkflowEngineView):
    @operation(
        needs=PERSON,
        summary="Register a device by its public key",
        id="native_device_register",
        body=bodies.DeviceRegister,
        answers={200: bodies.DeviceRegistered, 201: bodies.DeviceRegistered},
        raises=[
            InvalidInput,
            errors.KeyInvalid,
            errors.KeyInUse,
            errors.DeviceLimit,
            errors.DeviceRevoked,
            errors.ClientInvalid,
            login_errors.FreshLoginRequired,
            login_errors.OwnLoginRequired,
        ],
        creates=True,
    )
    def post(self, call: Call[bodies.DeviceRegister]) -> Answer:
        """An Ed25519 or a P-256 key. The device is pending until it answers the challenge at `/native/auth/device/authenticate`.
        The same key of yours again is the same device (200), with what it says of itself brought up to date."""
        body = call.body
        made = services.register(
            actor=call.actor,
            about=services.About(
                name=body.name.strip(),
                platform=body.platform,
                os_version=body.os_version,
                app_version=body.app_version,
                model=body.model,
                hardware_id_hash=(body.hardware_id_hash or "").lower(),
                push=(body.push.provider, body.push.token) if body.push is not None else ("", ""),
            ),
            public_key=body.public_key,
            client_id=body.client_id,
            proof=body.proof or "",
        )
        shown = bodies.DeviceRegistered.model_validate(
            {
                "device_id": made.device.pk,
                "status": made.device.status,
                "key_id": made.device.key_id,
                "key_algorithm": made.device.algorithm,
                "challenge": _challenge(made.challenge),
                "max_devices": services.LIMIT,
                "registered_devices": made.count,
                "created_at": made.device.created_at,
            }
        )
        return Answer(shown, 201 if made.is_new else 200, headers=NO_STORE)


class DeviceAuthenticateView(WorkflowEngineView):
    public = True

    @operation(
        needs=OPEN,
        summary="Sign in by a device's key",
        id="native_device_authenticate",
        body=bodies.DeviceAuthenticate,
        answers={200: bodies.DeviceAuthentication},
        raises=[InvalidInput, *proofs.REFUSALS, errors.ClientInvalid, *LOGIN_ERRORS],
    )
    def post(self, call: Call[bodies.DeviceAuthenticate]) -> Answer:
        """Two calls: the first gets a challenge, for an id that nobody has too; the second answers it, once, within a minute.
        Five wrong signatures in a row suspend the device. The key is one factor: where two are wanted, the refusal has an
        `mfa_token`."""
        body = call.body
        if body.challenge_id is None and body.signature is None:
            issued = challenges.issue(body.device_id, now=timezone.now())
            return Answer(
                bodies.DeviceAuthentication(step="challenge", challenge=_challenge(issued), device_status="unknown"),
                headers=NO_STORE,
            )
        if body.challenge_id is None or body.signature is None:
            missing = "challenge_id" if body.challenge_id is None else "signature"
            raise InvalidInput.of(missing, "Send the challenge's id and the signature together.", "required")
        found = proofs.authenticate(
            device_id=body.device_id,
            challenge_id=body.challenge_id,
            signature=body.signature,
            app_version=body.app_version,
            client=logins.client(call.request, self.dialect),
        )
        shown = bodies.DeviceAuthentication(
            step="authenticated",
            challenge=None,
            access_token=found.pair.access_token,
            token_type="Bearer",  # noqa: S106  Not a password.
            expires_in=found.pair.expires_in,
            refresh_token=found.pair.refresh_token,
            session_id=found.pair.session_id,
            user_id=found.device.user_id,
            device_status="active",
        )
        return Answer(shown, headers=NO_STORE)


class DeviceStatusView(WorkflowEngineView):
    @operation(
        needs=PERSON,
        summary="How your devices stand",
        id="native_device_status",
        query=bodies.DeviceQuery,
        answers={200: bodies.DeviceStatuses},
        raises=[errors.DeviceNotFound],
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """The token's device, one of yours, or all of them."""
        here = selectors.at_hand(call.actor)
        asked = call.query.device_id or here
        if call.query.all:
            found = list(selectors.listed(call.actor))
        else:
            found = [selectors.get(call.actor, asked)] if asked is not None else []
        body = bodies.DeviceStatuses(current_device_id=here, devices=[_shown(each) for each in found])
        return Answer(body, headers=NO_STORE)


class DeviceView(WorkflowEngineView):
    @operation(
        needs=PERSON,
        summary="Revoke one of your devices",
        id="native_device_revoke",
        answers={200: bodies.DeviceRevoked},
        raises=[errors.DeviceNotFound],
    )
    def delete(self, call: Call[None], device_id: UUID) -> Answer:
        """For good: its key opens nothing any more, and your logins on it and in its app end at once."""
        ended = services.revoke(actor=call.actor, device_id=device_id)
        return Answer(bodies.DeviceRevoked(device_id=device_id, revoked_sessions=ended), headers=NO_STORE)


def _challenge(issued: DeviceChallenge) -> bodies.Challenge:
    return bodies.Challenge(challenge_id=issued.pk, nonce=keys.text(bytes(issued.nonce)), expires_at=issued.expires_at)


def _shown(device: Device) -> bodies.DeviceBody:
    return bodies.DeviceBody.model_validate(
        {
            "device_id": device.pk,
            "name": device.name,
            "platform": device.platform,
            "os_version": device.os_version or None,
            "app_version": device.app_version or None,
            "status": device.status,
            "key_id": device.key_id,
            "registered_at": device.created_at,
            "last_authenticated_at": device.last_authenticated_at,
            "last_sync_at": device.last_sync_at,
            "last_ip": device.last_address or None,
            "active_sessions": getattr(device, "open_sessions"),  # noqa: B009  Annotated by the selector.
            "push_enabled": bool(device.push_provider),
            "update_required": versions.is_outdated(device.app_version, device.platform),
        }
    )
