from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import jwt
import pytest
from django.conf import settings
from django.contrib.auth import hashers
from django.utils import timezone

from accounts import services, tokens
from accounts.errors import AccountInactive, NotAuthenticated, TokenInvalid, WrongCredentials
from accounts.events import SessionRevoked
from accounts.models import Membership, Organization, RefreshToken, Session, User
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Permission, Role

pytestmark = pytest.mark.django_db


def test_a_login_opens_one_session_with_one_refresh_token(founder, log_in) -> None:
    now = timezone.now()
    pair = log_in(now=now, address="203.0.113.9", user_agent="curl/8")
    session = Session.objects.get()
    assert pair.actor == Actor(
        founder.user.pk, founder.organization.pk, Role.ADMIN, frozenset(Permission), "ann@example.com"
    )
    assert (pair.actor.session_id, pair.expires_in) == (session.pk, 1800)
    assert (session.user_id, session.organization_id) == (founder.user.pk, founder.organization.pk)
    assert (session.dialect, session.address, session.user_agent) == ("test", "203.0.113.9", "curl/8")
    assert (session.expires_at, session.last_seen_at, session.revoked_at) == (now + timedelta(days=7), now, None)
    row = RefreshToken.objects.get()
    assert (row.session_id, row.used_at, row.expires_at) == (session.pk, None, session.expires_at)
    assert User.objects.get().last_login == now


def test_an_access_token_says_what_000_lists(founder, log_in) -> None:
    now = timezone.now()
    pair = log_in(now=now)
    claims = jwt.decode(pair.access_token, tokens.signing_key(), algorithms=["HS256"], audience="auterity")
    jti = claims.pop("jti")
    assert claims == {
        "iss": "auterity",
        "aud": "auterity",
        "typ": "access",
        "sub": str(founder.user.pk),
        "email": "ann@example.com",
        "org_id": str(founder.organization.pk),
        "role": "admin",
        "permissions": sorted(permission.value for permission in Permission),
        "sid": str(Session.objects.get().pk),
        "ver": 0,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=1800)).timestamp()),
    }
    again = jwt.decode(log_in().access_token, tokens.signing_key(), algorithms=["HS256"], audience="auterity")
    assert again["jti"] != jti
    assert len(pair.access_token) < tokens.LONGEST / 2


def test_a_token_is_not_in_a_repr(founder, log_in) -> None:
    pair = log_in()
    assert pair.access_token not in repr(pair)
    assert pair.refresh_token not in repr(pair)


@pytest.mark.parametrize("email", ["ANN@example.COM", "  ann@example.com\t", "ａnn@example.com"])
def test_the_address_may_be_written_in_any_case(founder, log_in, email: str) -> None:
    assert log_in(email).actor.user_id == founder.user.pk


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ann@example.com", "correct horse 8"),
        ("ann@example.com", ""),
        ("ann@example.com", "CORRECT HORSE 9"),
        ("ann@example.com", "correct horse 9 "),
        ("ann@example.com", "correct\x00horse 9"),
        ("ann@example.com", "correct\ud800horse 9"),
        ("ann@example.com", "x" * 5_000_000),
        ("nobody@example.com", "correct horse 9"),
        ("", "correct horse 9"),
        ("ann@example.com\x00", "correct horse 9"),
        ("\ud800", "correct horse 9"),
        ("a" * 1_000_000, "correct horse 9"),
        ("' OR 1=1 --", "correct horse 9"),
    ],
)
def test_every_wrong_login_gets_the_same_answer(founder, log_in, email: str, password: str) -> None:
    with pytest.raises(WrongCredentials) as refusal:
        log_in(email, password=password)
    assert (refusal.value.message, refusal.value.details) == ("Invalid email or password.", {})
    assert Session.objects.count() == 0


def test_a_password_cut_at_the_bound_does_not_open_the_account(db, log_in) -> None:
    stored = "p9 " * 341 + "!"
    services.register(email="eve@example.com", password=stored, first_name="Eve", last_name="E")
    with pytest.raises(WrongCredentials):
        log_in("eve@example.com", password=stored + "x")
    assert log_in("eve@example.com", password=stored).refresh_token


@pytest.mark.parametrize("email", ["ann@example.com", "nobody@example.com"])
def test_a_wrong_login_costs_one_password_hash_whether_or_not_the_account_exists(
    founder, log_in, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    class Counting(hashers.MD5PasswordHasher):
        def encode(self, password: str, salt: str) -> str:
            hashed.append(password)
            return super().encode(password, salt)

    counting = Counting()
    monkeypatch.setattr(hashers, "get_hashers", lambda: [counting])
    monkeypatch.setattr(hashers, "get_hashers_by_algorithm", lambda: {"md5": counting})
    with pytest.raises(WrongCredentials):
        log_in(email, password="wrong password")
    assert hashed == ["wrong password"]


def test_an_inactive_account_is_told_so_only_after_the_right_password(founder, log_in) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(WrongCredentials):
        log_in(password="wrong password")
    with pytest.raises(AccountInactive):
        log_in()
    assert Session.objects.count() == 0


def test_a_switched_off_membership_or_organization_is_an_inactive_account(founder, log_in) -> None:
    Membership.objects.update(is_active=False)
    with pytest.raises(AccountInactive):
        log_in()
    Membership.objects.update(is_active=True)
    Organization.objects.update(is_active=False)
    with pytest.raises(AccountInactive):
        log_in()


def test_an_operator_without_an_organization_has_no_tokens(db, log_in) -> None:
    User.objects.create_superuser("Root@Example.com", "correct horse 9", first_name="R", last_name="R")
    with pytest.raises(AccountInactive):
        log_in("root@example.com")


def test_a_login_goes_to_the_oldest_organization_that_still_lets_the_person_in(founder, log_in) -> None:
    second = Organization.objects.create(name="Second")
    newest = UUID(int=(1 << 128) - 1)  # Two ids of one millisecond are in no order.
    Membership.objects.create(id=newest, user=founder.user, organization=second, role=Role.VIEWER.value)
    assert log_in().actor.organization_id == founder.organization.pk
    Membership.objects.filter(organization=founder.organization).update(is_active=False)
    actor = log_in().actor
    assert (actor.organization_id, actor.role, actor.permissions) == (
        second.pk,
        Role.VIEWER,
        ROLE_PERMISSIONS[Role.VIEWER],
    )


def test_what_a_client_says_of_itself_is_cut_and_made_printable(founder, log_in) -> None:
    log_in(user_agent="evil\r\nX: \x00\ud800" + "x" * 5000, address="a" * 500)
    session = Session.objects.get()
    assert session.user_agent == "evil??X: ??" + "x" * 389
    assert session.address == "a" * 64


def test_a_logout_kills_the_access_and_the_refresh_token_at_once(
    founder, log_in, heard, django_capture_on_commit_callbacks
) -> None:
    pair, other = log_in(), log_in()
    with django_capture_on_commit_callbacks(execute=True):
        services.logout(actor=tokens.authenticate_access(pair.access_token))
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_session(pair.actor.session_id)
    with pytest.raises(TokenInvalid):
        services.refresh(token=pair.refresh_token, access_seconds=60)
    assert heard == [SessionRevoked(pair.actor.session_id, founder.user.pk)]
    assert Session.objects.get(pk=pair.actor.session_id).revoke_reason == "logout"
    assert tokens.authenticate_access(other.access_token) == pair.actor


def test_a_logout_with_another_logins_refresh_token_ends_both(founder, log_in) -> None:
    pair, other = log_in(), log_in()
    services.logout(actor=pair.actor, refresh_token=other.refresh_token)
    assert Session.objects.filter(revoked_at=None).count() == 0


def test_a_logout_ignores_rubbish_and_other_peoples_refresh_tokens(founder, bob, log_in) -> None:
    bobs = log_in("bob@example.com")
    for unusable in ("rubbish", bobs.refresh_token, bobs.access_token):
        pair = log_in()
        services.logout(actor=pair.actor, refresh_token=unusable)
        with pytest.raises(TokenInvalid):
            tokens.authenticate_access(pair.access_token)
    assert tokens.authenticate_access(bobs.access_token).user_id == bob.user_id


def test_a_process_without_a_login_cannot_log_out(admin) -> None:
    with pytest.raises(NotAuthenticated):
        services.logout(actor=Actor(admin.user_id, admin.organization_id, admin.role, admin.permissions))


def test_a_login_ends_after_seven_days_whatever_its_tokens_say(founder, log_in) -> None:
    now = timezone.now()
    pair = log_in(now=now, access_seconds=30 * 86400)
    assert pair.expires_in == 7 * 86400
    last = now + settings.REFRESH_WINDOW - timedelta(seconds=1)
    assert tokens.authenticate_access(pair.access_token, now=last) == pair.actor
    with pytest.raises(TokenInvalid):  # Within the token's leeway, after the session's end.
        tokens.authenticate_access(pair.access_token, now=last + timedelta(seconds=2))
    with pytest.raises(TokenInvalid):
        tokens.authenticate_session(pair.actor.session_id, now=last + timedelta(seconds=2))


def test_ended_logins_are_forgotten_with_their_tokens_and_living_ones_are_not(founder, log_in) -> None:
    now = timezone.now()
    old = log_in(now=now - timedelta(days=8))
    log_in(now=now - timedelta(days=9))
    living = log_in(now=now - timedelta(days=6))
    assert services.forget_ended(before=now, limit=1) == 1
    assert services.forget_ended(before=now) == 1
    assert services.forget_ended(before=now) == 0
    assert [row.session_id for row in RefreshToken.objects.all()] == [living.actor.session_id]
    with pytest.raises(TokenInvalid):
        services.refresh(token=old.refresh_token, access_seconds=60, now=now - timedelta(days=8))
    assert services.refresh(token=living.refresh_token, access_seconds=60).actor == living.actor
