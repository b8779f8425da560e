"""Who of ours somebody is who came back from a provider: by issuer and subject, never by what an address claims alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import inputs, logins, members, services, vouching
from accounts.clients import Client
from accounts.errors import AccountInactive, RegistrationClosed
from accounts.events import MemberJoined
from accounts.factors import Factor
from accounts.models import Membership, Organization, User
from accounts.pairs import TokenPair
from audit import trail
from auterity.kernel.access import Actor, Role
from auterity.kernel.events import publish
from identity import google, grants, signins, sso
from identity.errors import AddressUnverified, LinkedElsewhere, LinkRequired
from identity.events import IdentityLinked
from identity.models import ExternalIdentity, OAuthGrant, SsoProvider
from identity.oidc import Person
from identity.signins import Redeemed, Returned

LINKED, LOGIN, REGISTERED = "linked", "login", "registered"


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of a way to a provider and back. `pair` is None where an account was linked; `grant` is Google's only."""

    action: str
    identity: ExternalIdentity
    pair: TokenPair | None
    grant: OAuthGrant | None
    scopes: list[str]


def arrive(
    *, returned: Returned, client: Client, actor: Actor | None = None, now: dt.datetime | None = None
) -> Arrived:
    """Finish what `google.begin` or `sso.begin` began: link, sign in, or make an account.

    Raises what `signins.redeem` does, `LinkedElsewhere`, `LinkRequired`, `AddressUnverified`, `RegistrationClosed`,
    `DomainRefused`, `QuotaExceeded`, and what `logins.open_login` does.
    """
    now = now or timezone.now()
    row = signins.waiting(returned.state, now=now)
    of = sso.open_to(row.provider_id) if row.provider_id is not None else None
    provider = sso.provider(of) if of is not None else google.provider()
    redeemed = signins.redeem(row, provider, returned=returned, actor=actor, now=now)
    if redeemed.actor is not None:
        return _linked(redeemed, of, redeemed.actor, now)
    return _let_in(redeemed, of, client, now)


def is_of_organization(state: str) -> bool:
    """Whether a state that waits leads to an organization's provider. Raises `StateInvalid`."""
    return signins.waiting(state).provider_id is not None


# -- inside ----------------------------------------------------------------------------------------------------------


def _linked(redeemed: Redeemed, of: SsoProvider | None, actor: Actor, now: dt.datetime) -> Arrived:
    vouching.require_own(actor)
    if of is not None:
        sso.check_domain(of, redeemed.person)
    identity = _find(redeemed.person, of)
    if identity is not None and identity.user_id != actor.user_id:
        raise LinkedElsewhere
    if identity is None:
        identity = _link(redeemed.person, of, actor.user_id, actor.organization_id)
        publish(IdentityLinked(identity.pk, identity.user_id, redeemed.person.issuer))
    _noted(identity, redeemed.person, now)
    return _arrived(LINKED, identity, None, redeemed, of, actor, now)


def _let_in(redeemed: Redeemed, of: SsoProvider | None, client: Client, now: dt.datetime) -> Arrived:
    person, action = redeemed.person, LOGIN
    identity = _find(person, of)
    if identity is None:
        with transaction.atomic():
            user, action = _newcomer(person, of)
            identity = _link(person, of, user.pk, of.organization_id if of is not None else None)
            if action == LOGIN:
                publish(IdentityLinked(identity.pk, user.pk, person.issuer))
    elif of is not None:
        sso.check_domain(of, person)
    pair = logins.open_login(
        identity.user,
        client=client,
        factors={Factor.OIDC if of is None else Factor.SSO},
        organization_id=of.organization_id if of is not None else None,
        now=now,
    )
    _noted(identity, person, now)
    return _arrived(action, identity, pair, redeemed, of, pair.actor, now)


def _newcomer(person: Person, of: SsoProvider | None) -> tuple[User, str]:
    """Somebody whose account at the provider is linked to nobody, in the caller's transaction."""
    if of is not None:
        sso.check_domain(of, person)
    if not person.verified:
        raise AddressUnverified
    email = inputs.email(person.email)
    present = User.objects.filter(email=email).first()
    if present is not None:
        belongs = of is not None and of.links_members and _is_member(present, of)
        if not belongs:
            raise LinkRequired
        return present, LOGIN
    if of is None and not (settings.REGISTRATION and settings.GOOGLE["registration"]):
        raise RegistrationClosed
    if of is not None and not of.creates_members:
        raise RegistrationClosed
    return _registered(person, email, of), REGISTERED


def _registered(person: Person, email: str, of: SsoProvider | None) -> User:
    name, _, _domain = email.partition("@")
    described = inputs.Person(email, "", person.first_name or name[:150], person.last_name or "-", None)
    # Google proves a mailbox to everybody; an organization's provider is believed by that organization only.
    verified_at = timezone.now() if of is None else None
    if of is not None:
        members.lock_organization(of.organization_id)
        members.check_collaborators(of.organization_id, adding=1)
    user = services.new_user(described, make_password(None), verified_at=verified_at)
    if of is None:
        organization = Organization.objects.create(
            name=f"{described.first_name}'s organization"[:200], is_personal=True
        )
        Membership.objects.create(user=user, organization=organization, role=Role.ADMIN.value)
    else:
        Membership.objects.create(user=user, organization_id=of.organization_id, role=of.default_role)
        publish(MemberJoined(user.pk, of.organization_id))
    return user


def _is_member(user: User, of: SsoProvider) -> bool:
    here = user.memberships.filter(organization_id=of.organization_id).first()
    if here is None:
        return False
    if not (here.is_active and user.is_active):
        raise AccountInactive
    return True


def _find(person: Person, of: SsoProvider | None) -> ExternalIdentity | None:
    rows = ExternalIdentity.objects.select_related("user").filter(provider=of)
    return rows.filter(issuer=person.issuer, subject=person.subject).first()


def _link(person: Person, of: SsoProvider | None, user_id: UUID, organization_id: UUID | None) -> ExternalIdentity:
    """Raises `LinkedElsewhere` where somebody else's link came first."""
    try:
        with transaction.atomic():
            made = ExternalIdentity.objects.create(
                user_id=user_id, provider=of, issuer=person.issuer, subject=person.subject, email=person.email
            )
    except IntegrityError:
        raise LinkedElsewhere from None
    home = organization_id or made.user.memberships.order_by("id").values_list("organization_id", flat=True).first()
    trail.record(
        "identity.linked",
        "create",
        organization_id=home,
        user_id=made.user_id,
        resource_type="external_identity",
        resource_id=str(made.pk),
        details={"issuer": person.issuer},
    )
    return made


def _noted(identity: ExternalIdentity, person: Person, now: dt.datetime) -> None:
    """The link may be gone by now, with its provider."""
    identity.email, identity.last_used_at = person.email, now
    ExternalIdentity.objects.filter(pk=identity.pk).update(email=person.email, last_used_at=now, updated_at=now)


def _arrived(
    action: str,
    identity: ExternalIdentity,
    pair: TokenPair | None,
    redeemed: Redeemed,
    of: SsoProvider | None,
    actor: Actor,
    now: dt.datetime,
) -> Arrived:
    if of is not None:
        return Arrived(action, identity, pair, None, ["login"])
    scopes = google.ours(redeemed.granted.scopes, redeemed.row.scopes)
    grant = grants.store(
        organization_id=actor.organization_id, identity=identity, scopes=scopes, granted=redeemed.granted, now=now
    )
    return Arrived(action, identity, pair, grant, grant.scopes)
