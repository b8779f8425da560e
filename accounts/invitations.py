"""Asking people to join an organization, and their joining it (contract README, decision 1)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from accounts import inputs, letters, links, members, rights, secret_words, services
from accounts.errors import (
    AccountInactive,
    InvitationClosed,
    InvitationForAnotherAddress,
    InvitationInvalid,
    InvitationNotFound,
    InvitationPending,
    MemberExists,
    WrongCredentials,
)
from accounts.events import MemberJoined
from accounts.models import Invitation, Letter, Membership, User
from audit.trail import record
from auterity.kernel.access import Actor, Permission, Role, require
from auterity.kernel.events import publish


@dataclass(frozen=True, slots=True)
class Invited:
    """What whoever holds a good link is shown."""

    organization: str
    email: str
    role: str
    expires_at: dt.datetime


# -- the organization's side -----------------------------------------------------------------------------------------


def listed(actor: Actor, *, status: str = "") -> QuerySet[Invitation]:
    """The organization's, newest first; lazily, with `invited_by`, and `mailed_at` and `mail_problem` of the newest letter.

    `status` is one of `status_of`'s, or empty for all. Needs member:invite.
    """
    require(actor, Permission.MEMBER_INVITE)
    letter = Letter.objects.filter(invitation=OuterRef("pk")).order_by("-id")
    rows: QuerySet[Invitation] = (
        Invitation.objects.of(actor).select_related("invited_by", "custom_role").order_by("-id")
    )
    rows = rows.annotate(
        mailed_at=Subquery(letter.values("sent_at")[:1]), mail_problem=Subquery(letter.values("problem")[:1])
    )
    now = timezone.now()
    undecided = Q(accepted_at=None, revoked_at=None)
    wanted = {
        "accepted": Q(accepted_at__isnull=False),
        "revoked": Q(revoked_at__isnull=False),
        "expired": undecided & Q(expires_at__lte=now),
        "open": undecided & Q(expires_at__gt=now),
    }
    return rows.filter(wanted[status]) if status else rows


def status_of(invitation: Invitation, now: dt.datetime) -> str:
    """open, accepted, revoked or expired."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.revoked_at is not None:
        return "revoked"
    return "open" if links.is_open(invitation, now) else "expired"


def invite(*, actor: Actor, email: str, role: Role = Role.MEMBER, custom_role_id: UUID | None = None) -> Invitation:
    """Ask somebody to join the actor's organization; a mail with a link is owed with the same commit.

    Whether the address has an account elsewhere makes no difference and is not told. Raises `PermissionDenied` (also for more
    than the actor holds), `RoleNotFound`, `InvalidInput`, `MemberExists`, `InvitationPending` or `QuotaExceeded`.
    """
    require(actor, Permission.MEMBER_INVITE)
    rights.chosen(actor, role, custom_role_id)
    email = inputs.email(email)
    now = timezone.now()
    with transaction.atomic():
        members.lock_organization(actor.organization_id)
        grant = rights.chosen(actor, role, custom_role_id)
        if Membership.objects.filter(organization_id=actor.organization_id, user__email=email).exists():
            raise MemberExists
        earlier = Invitation.objects.of(actor).filter(email=email, accepted_at=None, revoked_at=None).first()
        if earlier is not None and links.is_open(earlier, now):
            raise InvitationPending(invitation_id=str(earlier.pk))
        if earlier is not None:  # Its time is over; it makes room for the new one.
            Invitation.objects.of(actor).filter(pk=earlier.pk).update(revoked_at=now)
        members.check_collaborators(actor.organization_id, adding=1)
        made = Invitation(
            organization_id=actor.organization_id,
            email=email,
            role=grant.role.value,
            custom_role=grant.custom,
            invited_by_id=actor.user_id,
        )
        _renew(made, now)
        made.save(force_insert=True)
        letters.owe_invitation(made)
        _note("created", made, actor)
    return made


def send_again(*, actor: Actor, invitation_id: UUID) -> Invitation:
    """Send another link for a full time anew, also when the time of the earlier one is over; the earlier one ends.

    Raises `InvitationNotFound`, `InvitationClosed`, `PermissionDenied` (also for a role above the actor's own) or
    `QuotaExceeded`.
    """
    require(actor, Permission.MEMBER_INVITE)
    now = timezone.now()
    with transaction.atomic():
        members.lock_organization(actor.organization_id)
        found = _locked(actor, invitation_id)
        rights.within_reach(actor, rights.Grant(Role(found.role), found.custom_role).permissions)
        if found.accepted_at is not None or found.revoked_at is not None:
            raise InvitationClosed
        if not links.is_open(found, now):
            members.check_collaborators(actor.organization_id, adding=1)
        _renew(found, now)
        found.save(update_fields=["serial", "token_hash", "expires_at", "updated_at"])
        letters.owe_invitation(found)
        _note("renewed", found, actor)
    return found


def revoke(*, actor: Actor, invitation_id: UUID) -> Invitation:
    """End an invitation: its link stops working. One that is revoked already stays so.

    Raises `InvitationNotFound`, `InvitationClosed` (it was accepted) or `PermissionDenied`.
    """
    require(actor, Permission.MEMBER_INVITE)
    with transaction.atomic():
        found = _locked(actor, invitation_id)
        if found.accepted_at is not None:
            raise InvitationClosed
        if found.revoked_at is None:
            found.revoked_at = timezone.now()
            found.save(update_fields=["revoked_at", "updated_at"])
            _note("revoked", found, actor)
    return found


# -- the invited person's side ---------------------------------------------------------------------------------------


def look(token: str) -> Invited:
    """What a link is about. Changes nothing, whoever opens it. Raises `InvitationInvalid`."""
    found = _by_token(token)
    return Invited(found.organization.name, found.email, role_name_of(found), found.expires_at)


def role_name_of(row: Invitation | Membership) -> str:
    return row.role if row.custom_role is None else row.custom_role.name


def accept(
    *, token: str, password: str = "", first_name: str = "", last_name: str = "", actor: Actor | None = None
) -> Membership:
    """Join by a link, once; the membership has its `user` and `organization`.

    A signed-in `actor` joins with the account at hand, which must have the invited address. Otherwise an account of that
    address proves itself by its password, and where there is none one is made of the names and the password.

    Raises `InvitationInvalid`, `InvitationForAnotherAddress`, `WrongCredentials`, `AccountLocked`, `AccountInactive`,
    `InvalidInput` or `MemberExists`.
    """
    found = _by_token(token)
    user = User.objects.filter(email=found.email).first()
    if actor is not None:
        if user is None or user.pk != actor.user_id:
            raise InvitationForAnotherAddress
        return _join(found, user)
    if user is not None:
        secret_words.confirm(user, password, now=timezone.now(), message=WrongCredentials.sentence)
        return _join(found, user)
    person = inputs.person(
        email=found.email, password=password, first_name=first_name, last_name=last_name, joins=found.organization
    )
    hashed = make_password(person.password)
    with transaction.atomic():
        return _join(found, services.new_user(person, hashed, verified_at=timezone.now()))


# -- inside ----------------------------------------------------------------------------------------------------------


def _join(found: Invitation, user: User) -> Membership:
    if not user.is_active:
        raise AccountInactive
    now = timezone.now()
    try:
        with transaction.atomic():
            open_now = Invitation.unscoped.filter(
                pk=found.pk, token_hash=found.token_hash, accepted_at=None, revoked_at=None, expires_at__gt=now
            )
            # One guarded UPDATE: of two who follow the link at once, one joins.
            if not open_now.update(accepted_at=now, accepted_by=user, updated_at=now):
                raise InvitationInvalid
            now_given = Invitation.unscoped.select_related("custom_role").get(
                pk=found.pk
            )  # Its role may have been changed.
            joined = Membership.objects.create(
                user=user,
                organization_id=found.organization_id,
                role=now_given.role,
                custom_role=now_given.custom_role,
            )
            publish(MemberJoined(user.pk, found.organization_id))
            _note("accepted", found, None, user_id=user.pk)
    except IntegrityError:
        raise MemberExists from None
    joined.organization = found.organization
    return joined


def _note(what: str, about: Invitation, actor: Actor | None, *, user_id: UUID | None = None) -> None:
    record(
        f"invitation.{what}",
        what,
        organization_id=about.organization_id,
        actor=actor,
        user_id=user_id,
        severity="low",
        resource_type="invitation",
        resource_id=about.pk,
        details={"role": about.role},
    )


def _by_token(token: str) -> Invitation:
    rows = Invitation.unscoped.select_related("organization", "custom_role").filter(token_hash=links.hash_of(token))
    found: Invitation | None = rows.first()
    if found is None or not links.is_open(found, timezone.now()) or not found.organization.is_active:
        raise InvitationInvalid
    return found


def _locked(actor: Actor, invitation_id: UUID) -> Invitation:
    rows = Invitation.objects.of(actor).select_for_update(no_key=True, of=("self",))
    found: Invitation | None = rows.filter(pk=invitation_id).first()
    if found is None:
        raise InvitationNotFound
    return found


def _renew(invitation: Invitation, now: dt.datetime) -> None:
    invitation.serial += 1
    invitation.expires_at = now + settings.INVITATION_LIFETIME
    invitation.token_hash = links.hash_of(links.invitation_token(invitation))
