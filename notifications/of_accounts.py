"""What happens to people's accounts and to an organization's doors, turned into notifications: mostly "was that you?"."""

from __future__ import annotations

from uuid import UUID

from accounts.events import (
    ApiKeyMade,
    LoginOpened,
    MemberJoined,
    PasswordChanged,
    PoliciesChanged,
    RightsChanged,
    SecondFactorChanged,
    TokenReused,
)
from accounts.models import ApiKey, Membership, Session, User
from auterity.kernel.access import Permission, roles_with
from auterity.kernel.events import listen
from devices.events import DeviceRegistered, DeviceRevoked, DeviceSuspended
from identity.events import IdentityLinked, PasskeyAdded, PasskeyRemoved, PasskeySuspended
from notifications.models import Category, Severity
from notifications.services import Notice, notify


def subscribe() -> None:
    """Called once, at start-up."""
    listen(ApiKeyMade, on_api_key_made)
    listen(DeviceRegistered, on_device_registered)
    listen(DeviceRevoked, on_device_revoked)
    listen(DeviceSuspended, on_device_suspended)
    listen(IdentityLinked, on_identity_linked)
    listen(LoginOpened, on_login)
    listen(MemberJoined, on_member_joined)
    listen(PasskeyAdded, on_passkey_added)
    listen(PasskeyRemoved, on_passkey_removed)
    listen(PasskeySuspended, on_passkey_suspended)
    listen(PasswordChanged, on_password_changed)
    listen(PoliciesChanged, on_policies_changed)
    listen(RightsChanged, on_rights_changed)
    listen(SecondFactorChanged, on_second_factor_changed)
    listen(TokenReused, on_token_reused)


def on_login(fact: LoginOpened) -> None:
    """A login from somewhere else than this person's logins so far. The first one ever is no news."""
    earlier = Session.objects.filter(user_id=fact.user_id).exclude(id=fact.session_id)
    if not earlier.exists() or earlier.filter(address=fact.address, user_agent=fact.user_agent).exists():
        return
    notify(
        organization_id=fact.organization_id,
        user_ids=[fact.user_id],
        notice=Notice(
            Category.SECURITY,
            Severity.WARNING,
            "New login",
            f"Somebody logged in as you from {fact.address or 'an unknown address'} with "
            f"{fact.user_agent or 'an unknown client'}. "
            "If that was not you, change your password: it ends every login.",
            "/settings/security",
            {"session_id": str(fact.session_id), "address": fact.address, "user_agent": fact.user_agent},
            key=f"login:{fact.address}",
            many="{count} new logins",
        ),
    )


def on_token_reused(fact: TokenReused) -> None:
    notify(
        organization_id=fact.organization_id,
        user_ids=[fact.user_id],
        notice=Notice(
            Category.SECURITY,
            Severity.ERROR,
            "A login was ended for safety",
            "A token that had been used already was used again, as happens when somebody copied it. The login it belongs to has "
            "ended. If you did not do this, change your password.",
            "/settings/security",
            {"session_id": str(fact.session_id)},
        ),
    )


def on_password_changed(fact: PasswordChanged) -> None:
    _tell_person(fact.user_id, "Password changed", "Your password was changed. If that was not you, choose a new one.")


def on_passkey_added(fact: PasskeyAdded) -> None:
    said = f"{fact.nickname} signs in to your account from now on. If that was not you, delete it and change your password."
    _tell_person(fact.user_id, "A passkey was added", said)


def on_passkey_removed(fact: PasskeyRemoved) -> None:
    said = f"{fact.nickname} signs in to your account no more. If you did not remove it, change your password."
    _tell_person(fact.user_id, "A passkey was removed", said)


def on_passkey_suspended(fact: PasskeySuspended) -> None:
    said = (
        f"{fact.nickname} was used with a count that it had passed already, as happens when somebody copied it. It signs in no "
        "more. Register a new one."
    )
    _tell_person(fact.user_id, "A passkey was suspended", said)


def on_device_registered(fact: DeviceRegistered) -> None:
    said = f"{fact.name} can sign in to your account by its own key. If that was not you, revoke it and change your password."
    _tell_person(fact.user_id, "A device was registered", said)


def on_device_suspended(fact: DeviceSuspended) -> None:
    why = "An operator suspended it." if fact.by_operator else "Wrong signatures were sent in its name."
    _tell_person(fact.user_id, "A device was suspended", f"{fact.name} signs in no more. {why}")


def on_device_revoked(fact: DeviceRevoked) -> None:
    said = f"{fact.name} signs in no more, and its logins have ended. If that was not you, change your password."
    _tell_person(fact.user_id, "A device was revoked", said)


SECOND_FACTOR = {
    "enabled": "An authenticator app was set up for your account.",
    "disabled": "The authenticator app of your account was removed.",
    "codes_made": "New backup codes were made for your account; earlier ones work no more.",
    "code_used": "A backup code of yours was used to log in.",
}


def on_second_factor_changed(fact: SecondFactorChanged) -> None:
    said = SECOND_FACTOR.get(fact.change)
    if said is not None:
        _tell_person(fact.user_id, "Second factor", f"{said} If that was not you, change your password.")


def on_rights_changed(fact: RightsChanged) -> None:
    rows = Membership.objects.filter(user_id=fact.user_id, organization_id=fact.organization_id)
    found = rows.values_list("role", "custom_role__name", "organization__name").first()
    if found is None:
        return
    built_in, custom, organization = found
    role = custom or built_in
    notify(
        organization_id=fact.organization_id,
        user_ids=[fact.user_id],
        notice=Notice(
            Category.SECURITY,
            Severity.INFO,
            "Your role changed",
            f"You are {role} of {organization} now.",
            data={"role": role},
        ),
    )


def on_identity_linked(fact: IdentityLinked) -> None:
    said = f"An account at {fact.issuer} signs in to yours from now on. If that was not you, end the link."
    _tell_person(fact.user_id, "An account was linked", said)


def on_api_key_made(fact: ApiKeyMade) -> None:
    """To whoever made it, in the organization it opens: a key for a service account is made by a person, too."""
    name = ApiKey.objects.of(fact.organization_id).filter(pk=fact.key_id).values_list("name", flat=True).first()
    said = f"The key '{name}' was made in your login. If that was not you, revoke it and change your password."
    notify(
        organization_id=fact.organization_id,
        user_ids=[fact.made_by],
        notice=Notice(
            Category.SECURITY,
            Severity.WARNING,
            "An API key was made",
            said,
            "/settings/security",
            {"key_id": str(fact.key_id)},
        ),
    )


def on_member_joined(fact: MemberJoined) -> None:
    """To whoever manages the organization."""
    person = User.objects.filter(pk=fact.user_id).first()
    if person is None:
        return
    said = Notice(
        Category.SECURITY,
        Severity.INFO,
        "Somebody joined",
        f"{person.email} belongs to your organization now.",
        "/organization/members",
        {"user_id": str(fact.user_id)},
        key="joined",
        many="{count} people joined",
    )
    _tell_managers(fact.organization_id, said, but=fact.user_id)


def on_policies_changed(fact: PoliciesChanged) -> None:
    """To whoever else manages the organization."""
    said = Notice(
        Category.SECURITY,
        Severity.WARNING,
        "Policies changed",
        f"Your organization demands something else from now on: {', '.join(sorted(fact.changes))}.",
        "/organization/policies",
        {"policies": sorted(fact.changes), "user_id": str(fact.user_id)},
    )
    _tell_managers(fact.organization_id, said, but=fact.user_id)


# -- inside -----------------------------------------------------------------------------------------------------------


def _tell_managers(organization_id: UUID, said: Notice, *, but: UUID) -> None:
    managers = roles_with(Permission.ORGANIZATION_MANAGE)
    notify(organization_id=organization_id, roles=managers, except_for=but, notice=said)


def _tell_person(user_id: UUID, title: str, text: str) -> None:
    """In each organization that lets the person in: whichever they look at next."""
    here = Membership.objects.filter(user_id=user_id, is_active=True).values_list("organization_id", flat=True)
    for organization_id in here:
        notify(
            organization_id=organization_id,
            user_ids=[user_id],
            notice=Notice(Category.SECURITY, Severity.WARNING, title, text, "/settings/security", {}),
        )
