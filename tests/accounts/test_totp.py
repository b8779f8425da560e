"""Authenticator codes, backup codes and mailed codes: right once, in their time."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from accounts import backup_codes, mail_codes, second_factors, totp
from accounts.errors import (
    MfaAlreadyEnabled,
    MfaAttempts,
    MfaInvalid,
    MfaNotEnabled,
    NoPendingSetup,
    WrongCredentials,
)
from accounts.factors import FACTORS, Factor, SecondFactor, methods, suffices
from accounts.models import BackupCode, GuessCount, Letter, Proof, Session, Totp, User
from auterity.kernel.access import Actor
from integrations.letters import deliver_letter
from tests.accounts.authenticator import App, enable

PASSWORD = "correct horse 9"
live = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, settings: Any) -> Path:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return tmp_path / "outbox"


@pytest.fixture
def ann(founder: Any) -> User:
    return founder.user


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, of SHA-1; the last six of its eight digits."""
    assert totp.code_of(b"12345678901234567890", seconds // 30) == code


@pytest.mark.django_db
def test_the_setup_is_what_an_app_reads(admin: Actor) -> None:
    made = second_factors.begin(actor=admin, now=NOW)
    uri = urlsplit(made.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Auterity%3Aann%40example.com")
    assert parse_qs(uri.query) == {
        "secret": [made.secret],
        "issuer": ["Auterity"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert len(b32decode(made.secret)) == 20
    assert made.qr_svg.startswith("<svg")
    assert made.secret not in repr(made)
    stored = bytes(Totp.objects.get().secret)
    assert b32decode(made.secret) not in stored
    assert made.secret.encode() not in stored
    assert made.expires_at == NOW + timedelta(minutes=10)


@pytest.mark.django_db
def test_a_setup_counts_once_a_code_of_it_was_given(admin: Actor, ann: User) -> None:
    app = App(second_factors.begin(actor=admin, now=NOW).secret)
    assert methods(ann.pk) == [Factor.EMAIL_CODE]
    with pytest.raises(MfaInvalid):
        second_factors.confirm(actor=admin, code=app.wrong(NOW), now=NOW)
    assert not totp.is_enabled(ann.pk)
    made = second_factors.confirm(actor=admin, code=app.code(NOW), now=NOW)
    assert len(set(made.backup_codes)) == 10
    assert methods(ann.pk) == [Factor.TOTP, Factor.BACKUP_CODE]
    with pytest.raises(MfaAlreadyEnabled):
        second_factors.begin(actor=admin, now=NOW)
    with pytest.raises(NoPendingSetup):
        second_factors.confirm(actor=admin, code=app.code(NOW, steps=1), now=NOW)


@pytest.mark.django_db
def test_a_setup_has_ten_minutes_and_the_newest_one_counts(admin: Actor) -> None:
    first = App(second_factors.begin(actor=admin, now=NOW).secret)
    setup = second_factors.begin(actor=admin, now=NOW)
    late = NOW + timedelta(minutes=10)
    with pytest.raises(NoPendingSetup):
        second_factors.confirm(actor=admin, code=App(setup.secret).code(late), now=late)
    with pytest.raises(MfaInvalid):
        second_factors.confirm(actor=admin, code=first.code(NOW), now=NOW)
    other = totp.waiting(admin.user_id, now=NOW, setup_id=setup.id)
    with pytest.raises(NoPendingSetup):
        totp.waiting(admin.user_id, now=NOW, setup_id=Session().pk)
    assert other.pk == setup.id


@pytest.mark.django_db
def test_a_step_is_accepted_once_in_a_window_of_one_either_way(admin: Actor, ann: User) -> None:
    app, _ = enable(admin, now=NOW)
    late = NOW + timedelta(minutes=5)
    for step in (-3, -2, 2, 3):
        with pytest.raises(MfaInvalid):
            second_factors.prove(ann, Factor.TOTP, app.code(late, steps=step), now=late)
    second_factors.prove(ann, Factor.TOTP, app.code(late), now=late)
    for used in (0, -1):  # The same one again, and one before it.
        with pytest.raises(MfaInvalid):
            second_factors.prove(ann, Factor.TOTP, app.code(late, steps=used), now=late)
    second_factors.prove(ann, Factor.TOTP, app.code(late, steps=1), now=late)


@pytest.mark.django_db
def test_a_clock_that_drifts_is_followed(admin: Actor, ann: User) -> None:
    app, _ = enable(admin, now=NOW)
    for off in range(5):
        now = NOW + timedelta(hours=1 + off)
        second_factors.prove(ann, Factor.TOTP, app.code(now, steps=off), now=now)
        assert Totp.objects.get().drift == min(off, totp.MOST_DRIFT)
    now = NOW + timedelta(hours=9)
    with pytest.raises(MfaInvalid):
        second_factors.prove(ann, Factor.TOTP, app.code(now, steps=7), now=now)


@live
def test_of_ten_who_send_one_code_at_once_one_gets_in(admin: Actor, ann: User, together: Any) -> None:
    app, codes = enable(admin, now=NOW)
    late = NOW + timedelta(minutes=5)
    for factor, code in ((Factor.TOTP, app.code(late)), (Factor.BACKUP_CODE, codes[0])):
        GuessCount.objects.all().delete()
        results = together(*[partial(second_factors.prove, ann, factor, code, now=late)] * 10)
        assert results.count(None) == 1
        assert {type(each) for each in results} <= {type(None), MfaInvalid, MfaAttempts}


@live
def test_of_forty_codes_guessed_at_once_five_are_looked_at(
    admin: Actor, ann: User, together: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = enable(admin, now=NOW)
    late = NOW + timedelta(minutes=5)
    looked: list[str] = []
    step_of = totp.step_of
    monkeypatch.setattr(
        totp, "step_of", lambda row, code, *, now: (looked.append(code), step_of(row, code, now=now))[1]
    )
    results = together(*[partial(second_factors.prove, ann, Factor.TOTP, app.wrong(late), now=late)] * 40)
    assert len(looked) == 5
    assert {type(each) for each in results} == {MfaInvalid, MfaAttempts}
    with pytest.raises(MfaAttempts) as refusal:
        second_factors.prove(ann, Factor.TOTP, app.code(late), now=late)
    assert 0 < refusal.value.details["retry_after"] <= 300
    later = late + timedelta(minutes=5, seconds=1)
    second_factors.prove(ann, Factor.TOTP, app.code(later), now=later)


@pytest.mark.django_db
def test_a_backup_code_works_once_however_it_is_typed(admin: Actor, ann: User) -> None:
    _, codes = enable(admin, now=NOW)
    second_factors.prove(ann, Factor.BACKUP_CODE, f" {codes[0].upper().replace('-', ' ')} ", now=NOW)
    with pytest.raises(MfaInvalid):
        second_factors.prove(ann, Factor.BACKUP_CODE, codes[0], now=NOW)
    assert backup_codes.left(ann.pk) == 9
    stored = " ".join(BackupCode.objects.values_list("code_hash", flat=True))
    assert all(each.replace("-", "") not in stored for each in codes)
    shown = second_factors.codes(actor=admin)
    assert (shown.codes, shown.total, shown.remaining, shown.used, shown.regenerated) == ([], 10, 9, 1, False)
    again = second_factors.codes(actor=admin, regenerate=True)
    assert (len(again.codes), again.remaining) == (10, 10)
    with pytest.raises(MfaInvalid):
        second_factors.prove(ann, Factor.BACKUP_CODE, codes[1], now=NOW)


@pytest.mark.django_db
def test_another_persons_codes_are_worth_nothing(admin: Actor, bob: Any) -> None:
    app, codes = enable(admin, now=NOW)
    for factor, code in ((Factor.TOTP, app.code(NOW, steps=1)), (Factor.BACKUP_CODE, codes[0])):
        with pytest.raises(MfaInvalid):
            second_factors.prove(bob.user, factor, code, now=NOW)


@pytest.mark.django_db
def test_a_secret_opens_for_its_own_row_only(admin: Actor, bob: Any) -> None:
    app, _ = enable(admin, now=NOW)
    Totp.objects.create(user=bob.user, secret=Totp.objects.get().secret, expires_at=NOW, confirmed_at=NOW)
    with pytest.raises(Exception, match="decrypted"):
        second_factors.prove(bob.user, Factor.TOTP, app.code(NOW, steps=1), now=NOW)


@pytest.mark.django_db
def test_secrets_move_under_a_new_server_key(admin: Actor, ann: User, settings: Any) -> None:
    app, _ = enable(admin, now=NOW)
    settings.VAULT_KEYS = ["a new server key", *settings.VAULT_KEYS]
    assert (totp.rewrap(), totp.rewrap()) == (1, 0)
    settings.VAULT_KEYS = settings.VAULT_KEYS[:1]
    second_factors.prove(ann, Factor.TOTP, app.code(NOW, steps=1), now=NOW)


@pytest.mark.django_db
def test_giving_it_up_takes_the_password_and_a_code_and_ends_the_other_logins(
    admin: Actor, ann: User, log_in: Any
) -> None:
    with pytest.raises(MfaNotEnabled):
        second_factors.disable(actor=admin, password=PASSWORD, code="123456")
    log_in()
    app, codes = enable(admin, now=NOW)
    with pytest.raises(WrongCredentials):
        second_factors.disable(actor=admin, password="a wrong horse", code=codes[0], now=NOW)
    with pytest.raises(MfaInvalid):
        second_factors.disable(actor=admin, password=PASSWORD, code=app.wrong(NOW), now=NOW)
    assert totp.is_enabled(ann.pk)
    assert second_factors.disable(actor=admin, password=PASSWORD, code=codes[0], now=NOW) == 1
    assert not totp.is_enabled(ann.pk)
    assert BackupCode.objects.count() == 0
    assert list(Session.objects.filter(revoked_at=None).values_list("pk", flat=True)) == [admin.session_id]


@pytest.fixture
def mailed(outbox: Path) -> Iterator[Any]:
    def mailed() -> str:
        while deliver_letter():
            pass
        mails = [message_from_bytes(each.read_bytes(), policy=policy.default) for each in outbox.glob("*.eml")]
        (mail,) = [each for each in mails if each["Subject"] == "Your code for Auterity"]
        return next(line for line in mail.get_body(("plain",)).get_content().splitlines() if line.isdigit())

    return mailed


@live
def test_a_mailed_code_works_once_within_ten_minutes(ann: User, mailed: Any) -> None:
    assert mail_codes.send(ann) == "a***@example.com"
    code = mailed()
    assert len(code) == 6
    with connection.cursor() as cursor:
        for table in ("letters", "mailbox_proofs"):
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608
            assert code not in str(cursor.fetchall())
    late = timezone.now() + timedelta(minutes=11)
    with pytest.raises(MfaInvalid):
        second_factors.prove(ann, Factor.EMAIL_CODE, code, now=late)
    second_factors.prove(ann, Factor.EMAIL_CODE, code, now=timezone.now())
    with pytest.raises(MfaInvalid):
        second_factors.prove(ann, Factor.EMAIL_CODE, code, now=timezone.now())


@live
def test_five_wrong_codes_use_a_mail_up_whatever_the_clock(ann: User, mailed: Any) -> None:
    mail_codes.send(ann)
    code = mailed()
    wrong = "000000" if code != "000000" else "111111"
    for each in range(5):
        assert not mail_codes.accept(ann, wrong, now=timezone.now() + timedelta(minutes=each))
    with pytest.raises(MfaAttempts):
        mail_codes.accept(ann, code, now=timezone.now() + timedelta(minutes=9))
    assert Proof.objects.get(purpose="email_code").used_at is None
    mail_codes.send(ann)  # Not within a minute of the last one.
    assert Letter.objects.filter(kind="email_code").count() == 1


@pytest.mark.django_db
def test_which_factors_are_two(admin: Actor, ann: User) -> None:
    assert suffices({Factor.PASSWORD, Factor.EMAIL_CODE}, ann.pk)
    assert not suffices({Factor.PASSWORD, Factor.OIDC}, ann.pk)
    assert suffices({Factor.WEBAUTHN}, ann.pk)
    assert not suffices({Factor.DEVICE}, ann.pk)
    assert suffices({Factor.DEVICE, Factor.PASSWORD}, ann.pk)
    enable(admin, now=NOW)
    assert not suffices({Factor.PASSWORD, Factor.EMAIL_CODE}, ann.pk)
    assert suffices({Factor.OIDC, Factor.BACKUP_CODE}, ann.pk)


def test_a_factor_has_one_owner() -> None:
    with pytest.raises(ValueError, match="known already"):
        FACTORS.add(SecondFactor(Factor.TOTP, lambda _user_id: True))
