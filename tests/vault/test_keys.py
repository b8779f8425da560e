"""Data keys: what is sealed opens where it was put and nowhere else, through every change of keys."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from auterity.kernel.vault import SecretUnreadable
from integrations.models import Connection
from integrations.sealed import open_credentials, seal_credentials
from vault import keys, services
from vault.checks import check_server_keys
from vault.models import DataKey
from vault.registry import HOLDERS, place

pytestmark = pytest.mark.django_db

PLAIN = b"planted-marker-4711"


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    keys.forget()


@pytest.fixture
def ours() -> UUID:
    return Organization.objects.create(name="Ames Motors").id


def stored(organization_id: UUID, token: str = PLAIN.decode()) -> Connection:
    row = Connection(
        organization_id=organization_id,
        name=secrets.token_hex(4),
        type="custom_rest",
        config={},
        credential_names=["token"],
    )
    row.sealed = seal_credentials(organization_id=organization_id, connection_id=row.id, credentials={"token": token})
    row.save()
    return row


def read(row: Connection) -> str:
    row = Connection.unscoped.get(pk=row.pk)
    token: str = open_credentials(organization_id=row.organization_id, connection_id=row.id, sealed=bytes(row.sealed))[
        "token"
    ]
    return token


def test_what_is_sealed_opens_at_its_place_and_shows_nothing(ours: UUID) -> None:
    where = place("connections", uuid4(), "sealed")
    first, second = (keys.seal(organization_id=ours, place=where, plain=PLAIN) for _ in range(2))
    assert first != second
    for form in (PLAIN, base64.b64encode(PLAIN), PLAIN.hex().encode()):
        assert form not in first
    assert keys.reveal(organization_id=ours, place=where, sealed=first) == PLAIN
    [key] = DataKey.objects.of(ours)
    assert (key.number, keys.number_of(first)) == (1, 1)


def test_a_sealed_text_opens_nothing_elsewhere(ours: UUID) -> None:
    theirs = Organization.objects.create(name="Brill Cars").id
    row = uuid4()
    where = place("connections", row, "sealed")
    sealed = keys.seal(organization_id=ours, place=where, plain=PLAIN)
    keys.seal(organization_id=theirs, place=where, plain=b"x")  # They have a key with the same number.
    elsewhere = [
        (theirs, where),
        (ours, place("connections", uuid4(), "sealed")),
        (ours, place("others", row, "sealed")),
    ]
    for organization_id, there in elsewhere:
        with pytest.raises(SecretUnreadable):
            keys.reveal(organization_id=organization_id, place=there, sealed=sealed)


@pytest.mark.parametrize(
    "spoil", [lambda s: s[:-1], lambda s: s[:5], lambda s: b"\x02" + s[1:], lambda s: s[:-1] + bytes([s[-1] ^ 1])]
)
def test_a_spoilt_text_is_refused(ours: UUID, spoil: Any) -> None:
    sealed = keys.seal(organization_id=ours, place="t/1/c", plain=PLAIN)
    with pytest.raises(SecretUnreadable):
        keys.reveal(organization_id=ours, place="t/1/c", sealed=spoil(sealed))


def test_rotation_puts_everything_under_a_new_key_and_the_old_one_can_go(ours: UUID) -> None:
    rows = [stored(ours) for _ in range(3)]
    stranger = stored(Organization.objects.create(name="Brill Cars").id)
    before = bytes(stranger.sealed)
    assert services.rotate(organization_id=ours) == services.Resealed(3, {})
    assert [read(each) for each in rows] == [PLAIN.decode()] * 3
    assert services.prune(organization_id=ours) == 0, "somebody may still be about to open with it"
    assert services.prune(organization_id=ours, now=timezone.now() + 2 * services.SETTLED) == 1
    assert [key.number for key in DataKey.objects.of(ours)] == [2]
    assert [read(each) for each in rows] == [PLAIN.decode()] * 3
    assert bytes(Connection.unscoped.get(pk=stranger.pk).sealed) == before


def test_a_key_that_something_still_needs_is_not_destroyed(ours: UUID) -> None:
    """Stored at the very moment of a rotation, under the key that was retired meanwhile; here, in a place of its own row."""
    row = stored(ours)
    old = bytes(row.sealed)
    services.rotate(organization_id=ours)
    Connection.unscoped.filter(pk=row.pk).update(sealed=old)
    assert (
        services.prune(organization_id=ours, now=timezone.now() + 2 * services.SETTLED) == 1
    )  # It was put under the newest first.
    assert read(row) == PLAIN.decode()
    other = stored(ours)
    services.rotate(organization_id=ours)
    Connection.unscoped.filter(pk=row.pk).update(sealed=bytes(other.sealed))  # Another row's: it opens nothing here.
    assert services.reseal(organization_id=ours).left == {"connections.sealed": 1}
    assert services.prune(organization_id=ours, now=timezone.now() + 2 * services.SETTLED) == 0


def test_a_new_server_key_rewraps_the_data_keys_and_the_old_one_may_go(ours: UUID, settings: Any) -> None:
    row, first = stored(ours), settings.VAULT_KEYS
    settings.VAULT_KEYS = ["new", *first]
    assert read(row) == PLAIN.decode()
    assert (services.rewrap(), services.rewrap()) == (1, 0)
    keys.forget()
    settings.VAULT_KEYS = ["new"]
    assert read(row) == PLAIN.decode()
    keys.forget()
    settings.VAULT_KEYS = first
    with pytest.raises(SecretUnreadable, match="AUTERITY_VAULT_KEYS"):
        read(row)


def test_what_was_sealed_before_there_were_data_keys_opens_and_is_moved(ours: UUID, settings: Any) -> None:
    row = stored(ours)
    ring = base64.urlsafe_b64encode(hashlib.sha256(settings.VAULT_KEYS[-1].encode()).digest())
    before = Fernet(ring).encrypt(orjson.dumps([str(ours), str(row.id), {"token": "old"}]))
    Connection.unscoped.filter(pk=row.pk).update(sealed=before)
    settings.VAULT_KEYS = ["new", *settings.VAULT_KEYS]
    assert read(row) == "old"
    assert services.reseal(organization_id=ours) == services.Resealed(1, {})
    assert read(row) == "old"
    assert keys.number_of(bytes(Connection.unscoped.get(pk=row.pk).sealed)) == 1


def test_destroyed_keys_take_what_they_protect_with_them(ours: UUID) -> None:
    row = stored(ours)
    assert read(row) == PLAIN.decode()
    assert services.destroy(organization_id=ours) == 1
    with pytest.raises(SecretUnreadable, match="destroyed"):
        read(row)
    again = stored(ours, "anew")
    assert read(again) == "anew"


def test_a_process_that_still_has_a_destroyed_key_opens_what_its_successor_sealed(ours: UUID) -> None:
    row = stored(ours)
    with transaction.atomic():
        read(row)
    stale = dict(keys._OPENED._keys)
    services.destroy(organization_id=ours)
    again = stored(ours, "anew")
    keys._OPENED._keys.update(stale)
    assert read(again) == "anew"


@pytest.mark.django_db(transaction=True)
def test_a_key_that_was_rolled_back_is_not_used_again() -> None:
    ours = Organization.objects.create(name="Ames Motors").id
    with transaction.atomic():
        sealed = keys.seal(organization_id=ours, place="t/1/c", plain=b"lost")
        keys.reveal(organization_id=ours, place="t/1/c", sealed=sealed)
        transaction.set_rollback(True)
    sealed = keys.seal(organization_id=ours, place="t/1/c", plain=PLAIN)
    keys.forget()
    assert keys.reveal(organization_id=ours, place="t/1/c", sealed=sealed) == PLAIN


def test_every_sealed_column_is_known_to_rotation() -> None:
    from django.apps import apps
    from django.db.models import BinaryField

    sealed = {
        f"{model._meta.db_table}.{column.name}"
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if isinstance(column, BinaryField) and column.name == "sealed"
    }
    assert sealed == {holder.name for holder in HOLDERS}
    with pytest.raises(ValueError, match="already"):
        HOLDERS.add(Connection, "sealed")


def test_the_command_tells_rotates_and_prunes(ours: UUID, capsys: pytest.CaptureFixture[str]) -> None:
    row = stored(ours)
    call_command("vault", "status")
    call_command("vault", "rotate", organization=str(ours))
    call_command("vault", "rewrap")
    DataKey.objects.of(ours).exclude(retired_at=None).update(retired_at=timezone.now() - dt.timedelta(days=1))
    call_command("vault", "prune")
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("1 data keys, 0 of them retired, 0 not yet")
    assert told[1:] == [
        f"{ours}: a new key; 1 stored secrets are under it.",
        "0 data keys put under the newest server key. Older ones may leave AUTERITY_VAULT_KEYS now.",
        f"{ours}: 1 keys destroyed.",
    ]
    assert read(row) == PLAIN.decode()
    with pytest.raises(CommandError, match="not an organization"):
        call_command("vault", "rotate", organization="everybody")
    with pytest.raises(CommandError, match="everybody"):
        call_command("vault", "rewrap", organization=str(ours))


def test_the_deployment_check_asks_for_a_server_key_of_its_own(settings: Any) -> None:
    assert [each.id for each in check_server_keys(None)] == ["vault.W001"]
    settings.VAULT_KEYS = ["its own", *settings.VAULT_KEYS]
    assert check_server_keys(None) == []
