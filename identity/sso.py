"""An organization's own OpenID provider: set up by its admins, used by its people, and counting in that organization alone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import members, rights, sessions, tiers, vouching
from accounts.clients import Client
from accounts.factors import Factor
from accounts.models import Membership, Session
from audit import trail
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Permission, Role, require
from auterity.kernel.errors import FieldProblem, InvalidInput
from engine.ports import PortFailure
from identity import discovery, oidc, signins
from identity.errors import DomainRefused, SsoElsewhere, SsoNotFound, SsoRequired
from identity.models import SsoProvider
from identity.oidc import Person, Provider
from identity.signins import Begun
from integrations import egress
from integrations.egress import Deadline
from vault import keys
from vault.registry import place

SCOPES: Final = ["openid", "email", "profile"]
MOST_DOMAINS: Final = 50
_DOMAIN: Final = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")
# Mail providers that are nobody's: whoever allows one of them allows everybody.
PUBLIC_DOMAINS: Final = frozenset(
    {
        "aol.com", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com", "live.com",
        "mail.com", "outlook.com", "proton.me", "protonmail.com", "qq.com", "web.de", "yahoo.com", "yandex.ru",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What an admin says of the provider. An empty `client_secret` leaves the stored one."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    allowed_domains: Sequence[str]
    default_role: Role = Role.MEMBER
    creates_members: bool = True
    links_members: bool = False
    is_required: bool = False
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    """What a look at the provider's description showed."""

    ok: bool
    message: str
    authorization_endpoint: str = ""


def configured(actor: Actor) -> SsoProvider:
    """The organization's. Needs organization:manage. Raises `SsoNotFound`."""
    require(actor, Permission.ORGANIZATION_MANAGE)
    return _of(actor.organization_id)


def configure(*, actor: Actor, said: Settings, now: dt.datetime | None = None) -> SsoProvider:
    """Set the provider up, or change it. Another issuer or client id asks for the secret anew, and another issuer ends links.

    Making it compulsory ends the logins of members that came another way; naming another issuer or client id, or switching it
    off, ends those that came by it. The actor's own goes on. Raises `PermissionDenied`, `FreshLoginRequired`,
    `TierTooLow` or `InvalidInput`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    now = now or timezone.now()
    tiers.require_action(actor, "connect_oauth", now=now)
    rights.within_reach(actor, ROLE_PERMISSIONS[said.default_role])
    domains = _checked(said)
    with transaction.atomic():
        members.lock_organization(actor.organization_id)
        row: SsoProvider = SsoProvider.objects.of(actor).first() or SsoProvider(organization_id=actor.organization_id)
        moved = (row.issuer, row.client_id) != (said.issuer, said.client_id)
        if not said.client_secret and (moved or not row.sealed):
            raise InvalidInput.of("client_secret", "Give the client secret of this issuer and client id.", "required")
        if row.pk and row.issuer and row.issuer != said.issuer:
            row.identities.all().delete()
        was_required = row.is_required and row.is_active
        row.name, row.issuer, row.client_id = said.name, said.issuer, said.client_id
        row.allowed_domains, row.default_role = domains, said.default_role.value
        row.creates_members, row.links_members = said.creates_members, said.links_members
        row.is_required, row.is_active = said.is_required, said.is_active
        if said.client_secret:
            row.sealed = keys.seal(
                organization_id=actor.organization_id, place=_place(row), plain=said.client_secret.encode()
            )
        row.save()
        if row.is_required and row.is_active and not was_required:
            _end_other_logins(actor.organization_id, now, but=actor.session_id)
        if moved or not row.is_active:
            _end_its_logins(actor.organization_id, now, but=actor.session_id)
        trail.record(
            "sso.configured",
            "update",
            organization_id=actor.organization_id,
            actor=actor,
            resource_type="sso_provider",
            resource_id=str(row.pk),
            severity="medium",
            details={
                "issuer": row.issuer,
                "allowed_domains": row.allowed_domains,
                "is_required": row.is_required,
                "is_active": row.is_active,
            },
        )
    return row


def remove(*, actor: Actor, now: dt.datetime | None = None) -> None:
    """Forget the provider with its links, and end the logins that came by it, but for the actor's own.

    Raises `SsoNotFound`, `FreshLoginRequired` or `TierTooLow`.
    """
    require(actor, Permission.ORGANIZATION_MANAGE)
    row = _of(actor.organization_id)
    tiers.require_action(actor, "connect_oauth")
    with transaction.atomic():
        if SsoProvider.objects.of(actor).select_for_update().filter(pk=row.pk).first() is None:
            raise SsoNotFound
        trail.record(
            "sso.removed",
            "delete",
            organization_id=actor.organization_id,
            actor=actor,
            resource_type="sso_provider",
            resource_id=str(row.pk),
            severity="medium",
            details={"issuer": row.issuer},
        )
        _end_its_logins(actor.organization_id, now or timezone.now(), but=actor.session_id)
        row.delete()


def switched_by_operator(row: SsoProvider, *, now: dt.datetime | None = None) -> None:
    """Store what the operators' site changed, whether it is in use and whether compulsory, with the logins that ends.

    Their site writes into the trail.
    """
    now = now or timezone.now()
    with transaction.atomic():
        members.lock_organization(row.organization_id)
        before = SsoProvider.objects.of(row.organization_id).get(pk=row.pk)
        row.save(update_fields=["is_active", "is_required", "updated_at"])
        if not row.is_active:
            _end_its_logins(row.organization_id, now)
        elif row.is_required and not (before.is_required and before.is_active):
            _end_other_logins(row.organization_id, now)


def try_out(*, actor: Actor) -> Tried:
    """Ask the provider to describe itself, now and not from memory. Raises `SsoNotFound` or `PermissionDenied`."""
    row = configured(actor)
    discovery.forget()
    try:
        found = discovery.metadata(row.issuer, Deadline(oidc.SECONDS))
    except discovery.ProviderUnavailable as error:
        return Tried(False, error.message)
    return Tried(True, "The provider describes itself, and can be used.", found.authorization_endpoint)


def open_to(provider_id: UUID) -> SsoProvider:
    """A provider by its address, for whoever wants to sign in. Raises `SsoNotFound`, also where it is switched off."""
    found = SsoProvider.unscoped.select_related("organization").filter(
        pk=provider_id, is_active=True, organization__is_active=True
    )
    row: SsoProvider | None = found.first()
    if row is None:
        raise SsoNotFound
    return row


def provider(row: SsoProvider) -> Provider:
    """The provider as `identity.oidc` asks it, its secret opened."""
    secret = keys.reveal(organization_id=row.organization_id, place=_place(row), sealed=bytes(row.sealed))
    return Provider(row.issuer, row.client_id, secret.decode())


def begin(*, provider_id: UUID, actor: Actor | None = None, redirect_uri: str = "", login_hint: str = "") -> Begun:
    """The way to an organization's provider; a signed-in member links the account found there.

    Raises `SsoNotFound`, `RedirectRefused` or `ProviderUnavailable`.
    """
    row = open_to(provider_id)
    if actor is not None and actor.organization_id != row.organization_id:
        raise SsoNotFound
    return signins.begin(
        provider(row),
        asked=SCOPES,
        scopes=["login"],
        of=row,
        actor=actor,
        redirect_uri=redirect_uri,
        login_hint=login_hint,
    )


def check_domain(row: SsoProvider, person: Person) -> None:
    """Raises `DomainRefused`."""
    if person.email.rpartition("@")[2] not in row.allowed_domains:
        raise DomainRefused


def check_login(membership: Membership, factors: Collection[Factor], proved_in: UUID | None) -> None:
    """What logins ask here (`accounts.vouching`). `proved_in` is where the factors were proved, None for just now.

    An organization's provider vouches in that organization only, and as long as it is in use: a login may wait for a second
    factor meanwhile. Raises `SsoElsewhere`, `SsoRequired` or `SsoNotFound`.
    """
    by_provider = Factor.SSO in factors
    in_use = SsoProvider.objects.of(membership.organization_id).filter(is_active=True)
    if by_provider and proved_in not in (None, membership.organization_id) and not vouching.OWN.intersection(factors):
        raise SsoElsewhere
    if by_provider and proved_in in (None, membership.organization_id):
        if not in_use.exists():
            raise SsoNotFound
        return
    if membership.role == Role.ADMIN.value:
        return
    found = in_use.filter(is_required=True).first()
    if found is not None:
        raise SsoRequired(provider_id=str(found.pk))


def hold(membership: Membership, factors: Collection[Factor], _client: Client) -> None:
    """Keep the provider in use until the login that rests on its word alone has opened. Raises `SsoNotFound`."""
    if Factor.SSO not in factors or vouching.OWN.intersection(factors):
        return
    row = SsoProvider.objects.of(membership.organization_id).select_for_update(no_key=True).first()
    if row is None or not row.is_active:
        raise SsoNotFound


# -- inside ----------------------------------------------------------------------------------------------------------


def _of(organization_id: UUID) -> SsoProvider:
    row: SsoProvider | None = SsoProvider.objects.of(organization_id).first()
    if row is None:
        raise SsoNotFound
    return row


def _checked(said: Settings) -> list[str]:
    """The domains in one spelling. Raises `InvalidInput` naming every field that is wrong."""
    problems: list[FieldProblem] = []
    if not said.name.strip() or not said.name.isprintable():
        problems.append(FieldProblem("name", "Give a name of printable characters.", "required"))
    if not said.client_id.strip() or not said.client_id.isprintable():
        problems.append(FieldProblem("client_id", "Give the client id that the provider gave you.", "required"))
    if len(said.client_secret) > 1000 or "\x00" in said.client_secret:
        problems.append(FieldProblem("client_secret", "This is no client secret."))
    if said.issuer.endswith(discovery.WELL_KNOWN) or "?" in said.issuer or "#" in said.issuer:
        problems.append(FieldProblem("issuer", f"Give the issuer alone, without {discovery.WELL_KNOWN}.", "format"))
    try:
        egress.check_url(said.issuer)
    except PortFailure as error:
        problems.append(FieldProblem("issuer", error.message))
    domains = list(dict.fromkeys(each.strip().lower().removeprefix("@") for each in said.allowed_domains))
    wrong = [each for each in domains if not _DOMAIN.match(each)]
    if wrong:
        problems.append(FieldProblem("allowed_domains", f"{wrong[0][:80]!r} is not a domain.", "format"))
    if not domains or len(domains) > MOST_DOMAINS:
        problems.append(FieldProblem("allowed_domains", f"Name 1 to {MOST_DOMAINS} domains of your mail addresses."))
    public = sorted(PUBLIC_DOMAINS.intersection(domains))
    if public:
        problems.append(FieldProblem("allowed_domains", f"{public[0]} is everybody's, not your organization's."))
    if said.default_role is Role.ADMIN:
        problems.append(FieldProblem("default_role", "Nobody becomes an admin by signing in."))
    if problems:
        raise InvalidInput(problems)
    return domains


def _end_other_logins(organization_id: UUID, now: dt.datetime, *, but: UUID | None = None) -> None:
    """Those of members who are no admins."""
    admins = Membership.objects.filter(organization_id=organization_id, role=Role.ADMIN.value)
    others = _alive(organization_id, now).exclude(user_id__in=admins.values("user_id"))
    ending = [row.pk for row in others if not _came_by(row) and row.pk != but]
    _end(ending, "the organization's provider became compulsory", now)


def _end_its_logins(organization_id: UUID, now: dt.datetime, *, but: UUID | None = None) -> None:
    """Those that came by the provider, admins' too."""
    ending = [row.pk for row in _alive(organization_id, now) if _came_by(row) and row.pk != but]
    _end(ending, "the organization's provider no longer vouches", now)


def _alive(organization_id: UUID, now: dt.datetime) -> QuerySet[Session]:
    found = Session.objects.filter(organization_id=organization_id, revoked_at=None, expires_at__gt=now)
    return found.only("id", "factors")


def _came_by(session: Session) -> bool:
    return Factor.SSO in session.factors


def _end(ending: list[UUID], reason: str, now: dt.datetime) -> None:
    sessions.revoke(Session.objects.filter(pk__in=ending), reason=reason, now=now)


def _place(row: SsoProvider) -> str:
    return place("sso_providers", row.pk, "sealed")
