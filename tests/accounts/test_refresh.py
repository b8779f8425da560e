from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts import services, sessions, tokens
from accounts.clients import Client
from accounts.errors import RefreshReused, TokenExpired, TokenInvalid
from accounts.events import SessionRevoked
from accounts.models import Membership, Organization, RefreshToken, Session, User
from accounts.pairs import pair_of
from auterity.kernel.access import Role


def refresh(token: str, **more):
    return services.refresh(**{"token": token, "access_seconds": 1800, **more})


@pytest.mark.django_db
def test_a_refresh_token_buys_one_new_pair_of_the_same_login(founder, log_in) -> None:
    now = timezone.now()
    first = log_in(now=now)
    later = now + timedelta(days=3)
    second = refresh(first.refresh_token, now=later, access_seconds=60)
    assert (second.actor, second.expires_in) == (first.actor, 60)
    assert second.actor.session_id == first.actor.session_id
    assert tokens.authenticate_access(second.access_token, now=later) == first.actor
    session = Session.objects.get()
    assert (session.last_seen_at, session.expires_at) == (later, now + timedelta(days=7))
    assert set(RefreshToken.objects.values_list("used_at", "expires_at")) == {
        (later, session.expires_at),
        (None, session.expires_at),
    }
    third = refresh(second.refresh_token, now=later)
    assert third.actor == first.actor


@pytest.mark.django_db
def test_a_second_use_ends_the_session_and_everything_that_came_from_it(
    founder, log_in, heard, django_capture_on_commit_callbacks
) -> None:
    other = log_in()
    first = log_in()
    second = refresh(first.refresh_token)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(TokenInvalid):
        refresh(first.refresh_token)
    for dead in (first.access_token, second.access_token):
        with pytest.raises(TokenInvalid):
            tokens.authenticate_access(dead)
    for dead in (first.refresh_token, second.refresh_token, second.access_token):
        with pytest.raises(TokenInvalid):
            refresh(dead)
    assert heard == [SessionRevoked(first.actor.session_id, founder.user.pk)]
    reason = Session.objects.get(pk=first.actor.session_id).revoke_reason
    assert reason == "a token was used twice to refresh"
    assert tokens.authenticate_access(other.access_token).user_id == founder.user.pk


@pytest.mark.django_db
def test_a_valid_access_token_buys_one_access_token_and_leaves_the_refresh_token_alone(founder, log_in) -> None:
    first = log_in()
    second = refresh(first.access_token)
    assert second.refresh_token is None
    assert tokens.authenticate_access(second.access_token) == first.actor
    assert tokens.authenticate_access(first.access_token) == first.actor
    third = refresh(second.access_token)
    assert tokens.authenticate_access(third.access_token) == first.actor
    assert refresh(first.refresh_token).refresh_token
    with pytest.raises(TokenInvalid):
        refresh(first.access_token)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(third.access_token)


@pytest.mark.django_db
def test_an_expired_token_buys_nothing_and_ends_nothing(founder, log_in) -> None:
    now = timezone.now().replace(microsecond=0)
    pair = log_in(now=now)
    with pytest.raises(TokenExpired) as refusal:
        refresh(pair.access_token, now=now + timedelta(seconds=1830))
    expired_at = now + timedelta(seconds=1800)
    assert refusal.value.details == {"expired_at": expired_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    with pytest.raises(TokenInvalid):  # Its leeway does not outlive the session.
        refresh(pair.refresh_token, now=now + timedelta(days=7, seconds=1))
    with pytest.raises(TokenExpired) as refusal:
        refresh(pair.refresh_token, now=now + timedelta(days=7, seconds=30))
    assert refusal.value.message == "Refresh token has expired"
    assert Session.objects.get().revoked_at is None
    assert RefreshToken.objects.get().used_at is None


@pytest.mark.django_db
def test_the_chain_of_refreshes_ends_seven_days_after_the_login(founder, log_in) -> None:
    now = timezone.now()
    pair = refresh(log_in(now=now).refresh_token, now=now + timedelta(days=7, seconds=-100))
    assert pair.expires_in == 100
    with pytest.raises(TokenInvalid):
        refresh(pair.access_token, now=now + timedelta(days=7))


@pytest.mark.django_db
@pytest.mark.parametrize("model", [User, Membership, Organization])
def test_nobody_refreshes_while_switched_off_but_the_token_is_not_lost(founder, log_in, model) -> None:
    pair = log_in()
    model.objects.update(is_active=False)
    with pytest.raises(TokenInvalid):
        refresh(pair.refresh_token)
    model.objects.update(is_active=True)
    assert refresh(pair.refresh_token).actor == pair.actor


@pytest.mark.django_db
def test_a_refresh_carries_the_role_of_today(founder, log_in) -> None:
    pair = log_in()
    Membership.objects.update(role=Role.VIEWER.value)
    assert refresh(pair.refresh_token).actor.role is Role.VIEWER


@pytest.mark.django_db
def test_a_login_that_slips_past_a_password_change_is_worthless(founder, log_in) -> None:
    """The old password was checked, then it changed everywhere, then the session was stored."""
    user = User.objects.get()
    sessions.revoke_all([user.pk], reason="password changed", now=timezone.now())
    client = Client("test", 1800)
    late = sessions.start(
        sessions.membership_of(user), client=client, factors=["password"], fingerprint="", now=timezone.now()
    )
    pair = pair_of(late, 60, now=timezone.now())
    assert Session.objects.filter(revoked_at=None).count() == 1
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    with pytest.raises(TokenInvalid):
        refresh(pair.refresh_token)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_of_fifty_uses_at_once_exactly_one_succeeds_and_the_session_is_dead(
    founder, log_in, heard, together, kind: str
) -> None:
    pair, other = log_in(), log_in()
    results = together(*[partial(refresh, getattr(pair, kind))] * 50)
    refused = [result for result in results if isinstance(result, TokenInvalid)]
    assert len(refused) == 49
    assert any(isinstance(result, RefreshReused) for result in refused)
    (won,) = [result for result in results if isinstance(result, services.TokenPair)]
    for dead in (pair.access_token, won.access_token):
        with pytest.raises(TokenInvalid):
            tokens.authenticate_access(dead)
    for dead in filter(None, (pair.refresh_token, won.refresh_token, won.access_token)):
        with pytest.raises(TokenInvalid):
            refresh(dead)
    assert heard == [SessionRevoked(pair.actor.session_id, founder.user.pk)]
    assert RefreshToken.objects.filter(session_id=pair.actor.session_id).count() == 2
    assert tokens.authenticate_access(other.access_token) == pair.actor


@pytest.mark.django_db(transaction=True)
def test_a_refresh_and_a_logout_at_once_leave_nothing_alive(founder, log_in, together) -> None:
    for _ in range(5):
        pair = log_in()
        refreshed, gone = together(partial(refresh, pair.refresh_token), partial(services.logout, actor=pair.actor))
        assert gone is None
        if isinstance(refreshed, services.TokenPair):
            with pytest.raises(TokenInvalid):
                tokens.authenticate_access(refreshed.access_token)
            with pytest.raises(TokenInvalid):
                refresh(refreshed.refresh_token)
        else:
            assert type(refreshed) is TokenInvalid
    assert Session.objects.filter(revoked_at=None).count() == 0
