"""Keeping what people have: passkeys renamed and removed, links to providers ended, and what was begun and never finished."""

from __future__ import annotations

import datetime as dt
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import logins
from audit import trail
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from auterity.kernel.events import publish
from identity import grants, passkeys
from identity.errors import IdentityNotFound, PasskeyNotFound
from identity.events import PasskeyRemoved
from identity.models import Ceremony, ExternalIdentity, OAuthGrant, OAuthState, Passkey

NICKNAME_LENGTH: Final = 60


def rename_passkey(*, actor: Actor, passkey_id: UUID, nickname: str) -> Passkey:
    """Raises `PasskeyNotFound` or `InvalidInput`."""
    nickname = nickname.strip()
    if not nickname or len(nickname) > NICKNAME_LENGTH or not nickname.isprintable():
        raise InvalidInput.of("nickname", f"Give a name of 1 to {NICKNAME_LENGTH} printable characters.")
    found = _passkey(actor, passkey_id)
    found.nickname = nickname
    found.save(update_fields=["nickname", "updated_at"])
    return found


def remove_passkey(*, actor: Actor, passkey_id: UUID, now: dt.datetime | None = None) -> None:
    """Raises `PasskeyNotFound` or `FreshLoginRequired`."""
    found = _passkey(actor, passkey_id)
    logins.require_fresh(actor, now=now)
    with transaction.atomic():
        if not Passkey.objects.filter(pk=found.pk).delete()[0]:
            raise PasskeyNotFound
        publish(PasskeyRemoved(passkey_id, actor.user_id, actor.organization_id, found.nickname))
        passkeys.record("passkey.removed", "delete", actor, found)


def unlink(*, actor: Actor, identity_id: UUID, now: dt.datetime | None = None) -> None:
    """End a link. The provider is told to forget its tokens, as far as it can be reached; ours are gone either way.

    Raises `IdentityNotFound` or `FreshLoginRequired`.
    """
    mine = Q(provider=None) | Q(provider__organization_id=actor.organization_id)
    found = ExternalIdentity.objects.filter(mine, pk=identity_id, user_id=actor.user_id).first()
    if found is None:
        raise IdentityNotFound
    logins.require_fresh(actor, now=now)
    held = list(OAuthGrant.objects.of(actor).filter(identity=found))
    with transaction.atomic():
        trail.record(
            "identity.unlinked",
            "delete",
            organization_id=actor.organization_id,
            actor=actor,
            resource_type="external_identity",
            resource_id=str(found.pk),
            details={"issuer": found.issuer},
        )
        found.delete()
    grants.give_back(held)


def forget_unfinished(*, before: dt.datetime, limit: int) -> int:
    """Delete challenges and states whose time was over before that moment, at most `limit` of each. Returns how many."""
    count = 0
    for model in (Ceremony, OAuthState):
        chosen = model.objects.filter(expires_at__lt=before).order_by("expires_at").values_list("pk", flat=True)[:limit]
        count += model.objects.filter(pk__in=list(chosen)).delete()[0]
    return count


# -- inside ----------------------------------------------------------------------------------------------------------


def _passkey(actor: Actor, passkey_id: UUID) -> Passkey:
    found = Passkey.objects.filter(pk=passkey_id, user_id=actor.user_id).first()
    if found is None:
        raise PasskeyNotFound
    return found
