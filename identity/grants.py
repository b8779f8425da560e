"""What people let us do at Google: tokens sealed under the organization's data key, renewed, tried and given back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import orjson
import structlog
from django.db import transaction
from django.utils import timezone

from identity import google, oidc
from identity.errors import ExchangeRefused, OAuthNotConfigured, ProviderUnavailable
from identity.models import ExternalIdentity, Health, OAuthGrant
from identity.oidc import Granted
from vault import keys
from vault.registry import place

log = structlog.get_logger(__name__)


def store(
    *, organization_id: UUID, identity: ExternalIdentity, scopes: Sequence[str], granted: Granted, now: dt.datetime
) -> OAuthGrant:
    """Keep what was granted, in the place of what was there. Without a refresh token the account's earlier one stays."""
    with transaction.atomic():
        rows = OAuthGrant.objects.of(organization_id).filter(user_id=identity.user_id)
        row: OAuthGrant | None = rows.select_for_update().first()
        if row is None:
            row = OAuthGrant(organization_id=organization_id, user_id=identity.user_id, identity=identity)
        same = row.identity_id == identity.pk
        earlier = _opened(row).get("refresh_token", "") if row.sealed and same else ""
        row.identity = identity
        known = set(row.scopes) if same else set()
        row.scopes = [each for each in google.SCOPES if each in {*scopes, *known}]
        _fill(row, granted, earlier, now)
        row.save()
    return row


def access_token(grant: OAuthGrant, *, now: dt.datetime | None = None) -> str:
    """A token that is good for a minute at least, renewed if need be. Raises `ExchangeRefused` where the grant has ended, or
    `ProviderUnavailable`."""
    now = now or timezone.now()
    held = _opened(grant)
    good_until = grant.token_expires_at
    if good_until is None or good_until > now + dt.timedelta(minutes=1):
        return held["access_token"]
    return _renewed(grant, held, now)


def verify(grant: OAuthGrant, *, now: dt.datetime | None = None) -> OAuthGrant:
    """One live look at whether the grant still works, its token renewed if need be; the result is stored."""
    now = now or timezone.now()
    try:
        token = access_token(grant, now=now)
        if not oidc.is_alive(google.provider(), token):
            token = _renewed(grant, _opened(grant), now)
            if not oidc.is_alive(google.provider(), token):
                raise ExchangeRefused("The provider takes none of its tokens any more.")
        _noted(grant, Health.OK, "", now)
    except ExchangeRefused as error:
        renewable = bool(_opened(grant).get("refresh_token"))
        _noted(grant, Health.REVOKED if renewable else Health.EXPIRED, error.message, now)
    except ProviderUnavailable as error:
        _noted(grant, Health.UNKNOWN, error.message, now)
    return grant


def give_back(held: Sequence[OAuthGrant]) -> None:
    """Have the provider forget what was granted. Where it cannot be reached, they end by themselves; ours are gone."""
    for each in held:
        tokens = _opened(each)
        try:
            oidc.revoke(google.provider(), tokens.get("refresh_token") or tokens["access_token"])
        except (OAuthNotConfigured, ProviderUnavailable) as error:
            log.warning("grant_not_revoked", user_id=str(each.user_id), problem=error.message)


# -- inside ----------------------------------------------------------------------------------------------------------


def _renewed(grant: OAuthGrant, held: dict[str, str], now: dt.datetime) -> str:
    """Of several who renew at once the first is kept; each has a token that works."""
    if not held.get("refresh_token"):
        raise ExchangeRefused("The token has expired, and the provider gave none to renew it with.", reason="expired")
    granted = oidc.refresh(google.provider(), held["refresh_token"])
    before = bytes(grant.sealed)
    _fill(grant, granted, held["refresh_token"], now)
    same = OAuthGrant.objects.of(grant.organization_id).filter(pk=grant.pk, sealed=before)
    same.update(sealed=grant.sealed, token_expires_at=grant.token_expires_at, last_used_at=now, updated_at=now)
    return granted.access_token


def _fill(grant: OAuthGrant, granted: Granted, earlier: str, now: dt.datetime) -> None:
    plain = orjson.dumps({"access_token": granted.access_token, "refresh_token": granted.refresh_token or earlier})
    grant.sealed = keys.seal(organization_id=grant.organization_id, place=_place(grant), plain=plain)
    grant.token_expires_at = now + dt.timedelta(seconds=granted.seconds) if granted.seconds is not None else None
    grant.last_used_at = now
    grant.health, grant.last_error = Health.OK, ""


def _opened(grant: OAuthGrant) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(
        keys.reveal(organization_id=grant.organization_id, place=_place(grant), sealed=bytes(grant.sealed))
    )
    return found


def _place(grant: OAuthGrant) -> str:
    return place("oauth_grants", grant.pk, "sealed")


def _noted(grant: OAuthGrant, health: Health, problem: str, now: dt.datetime) -> None:
    grant.health, grant.last_error, grant.last_used_at = health, problem[:300], now
    grant.save(update_fields=["health", "last_error", "last_used_at", "updated_at"])
