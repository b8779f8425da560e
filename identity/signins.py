"""The way to a provider and back, the same for Google and for an organization's own provider, and for every dialect.

`begin` answers where to send the browser, and two things to keep: the state, which comes back with it, and a binding, which a
browser gets as a cookie. `redeem` takes the state, once, and asks the provider who came back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts import tiers, tokens
from accounts.errors import NotAuthenticated, TokenInvalid
from auterity.kernel.access import Actor
from identity import discovery, oidc
from identity.errors import ConsentDenied, RedirectRefused, StateInvalid
from identity.models import OAuthState, SsoProvider
from identity.oidc import SECONDS, Granted, Person, Provider
from integrations.egress import Deadline

LIFETIME: Final = dt.timedelta(minutes=10)
LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Begun:
    """`binding` is for a cookie of the browser that leaves; no other may come back with the state."""

    url: str
    state: str = field(repr=False)
    binding: str = field(repr=False)
    scopes: list[str]
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """What comes back by way of the browser, believed in nothing. `bound` is the cookie's value; `from_browser` says whether the
    request shows signs of a browser, which always has the cookie where it began itself."""

    state: str
    code: str = ""
    redirect_uri: str = ""
    issuer: str | None = None
    error: str = ""
    bound: str = ""
    from_browser: bool = False


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Who came back, and what they went for. `actor` is set where an account is to be linked."""

    row: OAuthState
    person: Person
    granted: Granted
    actor: Actor | None


def callback() -> str:
    """The page of ours to which providers send people back."""
    return f"{settings.PUBLIC_URL}/sign-in/callback"


def redirects() -> list[str]:
    """Where providers may send people back to, the usual place first."""
    return [*settings.OAUTH_REDIRECT_URIS, callback()]


def begin(
    provider: Provider,
    *,
    asked: list[str],
    scopes: list[str],
    of: SsoProvider | None = None,
    actor: Actor | None = None,
    redirect_uri: str = "",
    login_hint: str = "",
    more: Mapping[str, str] | None = None,
    now: dt.datetime | None = None,
) -> Begun:
    """`asked` are scopes as the provider names them, `scopes` as we do. With an `actor` the account is linked to them.

    Raises `RedirectRefused`, `NotAuthenticated`, `FreshLoginRequired`, `TierTooLow` or `ProviderUnavailable`.
    """
    now = now or timezone.now()
    if actor is not None and actor.session_id is None:
        raise NotAuthenticated("Linking an account needs a login of yours, not a key.")
    if actor is not None:
        tiers.require_action(actor, "connect_oauth", now=now)
    redirect_uri = redirect_uri or redirects()[0]
    if redirect_uri not in redirects():
        raise RedirectRefused
    state, binding = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    url = oidc.authorization_url(
        provider, state=state, redirect_uri=redirect_uri, scopes=asked, login_hint=login_hint, more=more
    )
    row = OAuthState.objects.create(
        state_hash=_hash(state),
        provider=of,
        issuer=provider.issuer,
        user_id=actor.user_id if actor is not None else None,
        organization_id=actor.organization_id if actor is not None else None,
        session_id=actor.session_id if actor is not None else None,
        binding_hash=_hash(binding),
        scopes=scopes,
        redirect_uri=redirect_uri,
        expires_at=now + LIFETIME,
    )
    return Begun(url, state, binding, scopes, row.expires_at)


def waiting(state: str, *, now: dt.datetime | None = None) -> OAuthState:
    """The state's row, unused so far; changes nothing. Raises `StateInvalid`."""
    found = OAuthState.objects.select_related("provider").filter(_usable(state, now or timezone.now())).first()
    if found is None:
        raise StateInvalid
    return found


def redeem(
    row: OAuthState,
    provider: Provider,
    *,
    returned: Returned,
    actor: Actor | None = None,
    now: dt.datetime | None = None,
) -> Redeemed:
    """Use the state up and buy the code. Raises `StateInvalid`, `ConsentDenied`, `ExchangeRefused` or `ProviderUnavailable`."""
    now = now or timezone.now()
    whose = _bound(row, returned, actor, now)
    if returned.redirect_uri not in ("", row.redirect_uri) or row.issuer != provider.issuer:
        raise StateInvalid
    if not OAuthState.objects.filter(_usable(returned.state, now)).update(used_at=now):
        raise StateInvalid
    _same_provider(returned.issuer, provider)
    if returned.error:
        raise ConsentDenied(error="".join(each for each in returned.error[:100] if each.isalnum() or each in "_-"))
    if not 0 < len(returned.code) <= LONGEST:
        raise StateInvalid("The provider's answer holds no code.")
    person, granted = oidc.exchange(provider, code=returned.code, state=returned.state, redirect_uri=row.redirect_uri)
    return Redeemed(row, person, granted, whose)


# -- inside ----------------------------------------------------------------------------------------------------------


def _usable(state: str, now: dt.datetime) -> Q:
    return Q(state_hash=_hash(state), used_at=None, expires_at__gt=now)


def _bound(row: OAuthState, returned: Returned, actor: Actor | None, now: dt.datetime) -> Actor | None:
    """Who the account is to be linked to, or nobody where it is to sign in. Raises `StateInvalid` for another browser or login.

    Somebody else's browser must not finish what it did not begin: it would sign its person in as somebody else, or give away
    their account at the provider. A browser proves itself by the cookie, a login by its token; a program that is no browser
    holds the state that it was given, which is enough to sign in and not to link.
    """
    same_browser = hmac.compare_digest(_hash(returned.bound), row.binding_hash)
    if returned.bound and not same_browser:
        raise StateInvalid
    if row.session_id is None:
        if returned.from_browser and not same_browser:
            raise StateInvalid
        return None
    if actor is not None:
        if actor.session_id != row.session_id:
            raise StateInvalid
        return actor
    if not same_browser:
        raise StateInvalid
    try:
        return tokens.authenticate_session(row.session_id, now=now)
    except TokenInvalid:
        raise StateInvalid from None


def _same_provider(named: str | None, provider: Provider) -> None:
    """RFC 9207: an answer that names another provider than the one we sent the person to is that other one's trick."""
    if named is None:
        if discovery.metadata(provider.issuer, Deadline(SECONDS)).names_itself:
            raise StateInvalid
    elif named not in {provider.issuer, *provider.issuers}:
        raise StateInvalid


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
