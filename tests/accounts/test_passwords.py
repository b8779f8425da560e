"""Another password and a confirmed address: links work once, in their time, and tell nobody who has an account."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import letters, links, members, passwords, proofs, services, tokens
from accounts.errors import LinkInvalid, TokenInvalid, WrongCredentials
from accounts.models import Letter, LetterKind, Proof, User
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from auterity.settings import base
from integrations.letters import deliver_letter

PASSWORD = "correct horse 9"
BETTER = "a better battery 7"
live = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, settings: Any) -> Path:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return tmp_path / "outbox"


@pytest.fixture
def mailed(outbox: Path) -> Any:
    """Everything that is owed goes out; what came to each address last, and the link in it."""

    def mailed() -> dict[str, str]:
        while deliver_letter():
            pass
        found = {}
        for path in sorted(outbox.glob("*.eml"), key=lambda each: each.stat().st_mtime_ns):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            text = mail.get_body(("plain",)).get_content()
            found[f"{mail['To']} {mail['Subject']}"] = next(
                line for line in text.splitlines() if line.startswith("http")
            )
            path.unlink()
        return found

    return mailed


def token_in(mails: dict[str, str], about: str) -> str:
    (link,) = [link for title, link in mails.items() if about in title]
    return link.rpartition("/")[2]


@pytest.fixture
def change(admin: Actor) -> Any:
    return partial(passwords.change, actor=admin, dialect="test", access_seconds=60)


def test_passwords_are_hashed_with_argon2_by_default() -> None:
    assert base.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "password", ["password", "12345678", "qwertyuiop", "short", "ann@example.com", "x" * 1025, "a\x00b45678"]
)
def test_a_bad_new_password_is_refused_and_nothing_ends(admin: Actor, change: Any, password: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        change(current_password=PASSWORD, new_password=password)
    assert {each.field for each in refusal.value.problems} == {"new_password"}
    assert tokens.authenticate_session(admin.session_id).user_id == admin.user_id
    assert User.objects.get(pk=admin.user_id).check_password(PASSWORD)


@pytest.mark.django_db
def test_a_change_ends_every_login_and_opens_one(admin: Actor, change: Any, log_in: Any) -> None:
    other = log_in()
    with pytest.raises(WrongCredentials):
        change(current_password="wrong horse 99", new_password=BETTER)
    pair = change(current_password=PASSWORD, new_password=BETTER)
    for ended in (admin.session_id, other.actor.session_id):
        with pytest.raises(TokenInvalid):
            tokens.authenticate_session(ended)
    with pytest.raises(TokenInvalid):
        services.refresh(token=other.refresh_token, access_seconds=60)
    assert tokens.authenticate_access(pair.access_token).organization_id == admin.organization_id
    with pytest.raises(WrongCredentials):
        log_in()
    assert log_in(password=BETTER).actor.user_id == admin.user_id


@live
def test_of_two_changes_at_once_one_counts(change: Any, together: Any, log_in: Any) -> None:
    chosen = [f"a better battery {n}" for n in range(3)]
    results = together(*[partial(change, current_password=PASSWORD, new_password=each) for each in chosen])
    won = [new for new, result in zip(chosen, results, strict=True) if isinstance(result, services.TokenPair)]
    assert len(won) == 1
    assert log_in(password=won[0]).expires_in == 1800


@pytest.mark.django_db
def test_the_newest_of_three_links_counts_and_a_fourth_waits(admin: Actor) -> None:
    made = []
    for _ in range(4):
        passwords.forgot(email="ann@example.com")
        for letter in Letter.objects.filter(kind=LetterKind.PASSWORD_RESET).exclude(due_at=None):
            proofs.make(letter)
            Letter.objects.filter(pk=letter.pk).update(due_at=None)  # It is on its way no more.
            made.append(links.proof_token(letter.pk))
    assert len(made) == 3
    for earlier in made[:2]:
        with pytest.raises(LinkInvalid):
            passwords.reset(token=earlier, password=BETTER)
    passwords.reset(token=made[2], password=BETTER)


@live
def test_a_forgotten_password_is_chosen_anew_by_a_link_that_works_once(admin: Actor, mailed: Any, log_in: Any) -> None:
    mailed()
    passwords.forgot(email=" ANN@example.com")
    token = token_in(mailed(), "Choose a new password")
    with pytest.raises(InvalidInput):
        passwords.reset(token=token, password="password")
    proofs.find(token, LetterKind.PASSWORD_RESET, now=timezone.now())
    assert User.objects.get().email_verified_at is None  # Looking at a link proves nothing.
    passwords.reset(token=token, password=BETTER)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_session(admin.session_id)
    assert log_in(password=BETTER).actor.user_id == admin.user_id
    assert User.objects.get().email_verified_at is not None
    with pytest.raises(LinkInvalid):
        passwords.reset(token=token, password="another battery 8")


@live
def test_a_link_is_good_for_an_hour_for_its_purpose_and_until_the_next_one(admin: Actor, mailed: Any) -> None:
    verification = token_in(mailed(), "Confirm your address")
    passwords.forgot(email="ann@example.com")
    first = token_in(mailed(), "Choose a new password")
    with pytest.raises(LinkInvalid):
        passwords.reset(token=verification, password=BETTER)
    with pytest.raises(LinkInvalid):
        passwords.verify_email(token=first)
    Letter.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    passwords.forgot(email="ann@example.com")
    second = token_in(mailed(), "Choose a new password")
    with pytest.raises(LinkInvalid):
        passwords.reset(token=first, password=BETTER)
    hour = timezone.now() + timedelta(hours=1)
    proofs.find(second, LetterKind.PASSWORD_RESET, now=hour - timedelta(minutes=1))
    with pytest.raises(LinkInvalid):
        proofs.find(second, LetterKind.PASSWORD_RESET, now=hour)
    User.objects.update(email="ann@elsewhere.example")
    with pytest.raises(LinkInvalid):
        passwords.reset(token=second, password=BETTER)
    assert second not in str(list(Proof.objects.values())) + str(list(Letter.objects.values()))


@live
def test_of_many_who_use_a_link_at_once_one_chooses(admin: Actor, mailed: Any, together: Any) -> None:
    mailed()
    passwords.forgot(email="ann@example.com")
    token = token_in(mailed(), "Choose a new password")
    results = together(*[partial(passwords.reset, token=token, password=f"a better battery {n}") for n in range(5)])
    assert sorted(type(each).__name__ for each in results) == ["LinkInvalid"] * 4 + ["Reset"]


@live
def test_asking_does_the_same_whether_there_is_an_account_or_not(admin: Actor, mailed: Any) -> None:
    mailed()

    def asked(email: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            passwords.forgot(email=email)
        return [each["sql"].split("WHERE")[0].split("VALUES")[0] for each in captured]

    assert asked("ann@example.com") == asked("nobody@example.com")
    assert asked("ann@example.com") == asked("nobody@example.com")  # Within a minute: not again.
    assert [title.split()[0] for title in mailed()] == ["ann@example.com"]
    assert Letter.objects.filter(kind="password_reset").count() == 2
    with pytest.raises(InvalidInput):
        passwords.forgot(email="no address")


@live
def test_a_switched_off_account_gets_no_link(admin: Actor, mailed: Any) -> None:
    mailed()
    User.objects.update(is_active=False)
    passwords.forgot(email="ann@example.com")
    assert mailed() == {}


@live
def test_an_address_is_confirmed_by_the_link_of_the_registration_or_a_later_one(admin: Actor, mailed: Any) -> None:
    first = token_in(mailed(), "Confirm your address")
    passwords.send_verification(actor=admin)
    assert mailed() == {}  # Within a minute: not again.
    passwords.verify_email(token=first)
    assert User.objects.get().email_verified_at is not None
    with pytest.raises(LinkInvalid):
        passwords.verify_email(token=first)
    Letter.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    passwords.send_verification(actor=admin)
    assert mailed() == {}


@pytest.mark.django_db
def test_old_letters_are_forgotten_with_their_links(admin: Actor) -> None:
    members.members_add(actor=admin, email="b@example.com", password=PASSWORD, first_name="B", last_name="B")
    letter = Letter.objects.get(kind="email_verification")
    proofs.make(letter)
    later = timezone.now() + timedelta(days=31)
    assert letters.forget(before=later, limit=10) == 0  # Still owed.
    letters.sent(letter)
    assert letters.forget(before=later, limit=10) == 1
    assert (Letter.objects.count(), Proof.objects.count()) == (0, 0)
