"""The chain: numbers without gaps whoever records at once, and whatever was done to the rows is found."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from audit import chain, guards, services, trail
from audit.models import AuditChain, AuditEvent
from auterity.kernel import sql


def recorded(organization_id: UUID, count: int) -> None:
    for number in range(count):
        trail.record("custom.thing", f"number {number}", organization_id=organization_id, details={"number": number})
    chain.seal_all()


@contextmanager
def intruder() -> Iterator[Callable[..., None]]:
    """Somebody with the database's owner's rights, who takes the guards away first."""
    guards.remove()

    def run(statement: str, *values: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, [sql.value(each) for each in values])

    yield run
    guards.install()


@pytest.mark.django_db
def test_numbers_have_no_gaps_and_each_hash_covers_the_one_before(ours: UUID, theirs: UUID) -> None:
    recorded(ours, 5)
    recorded(theirs, 2)
    recorded(ours, 3)
    rows = list(AuditEvent.objects.of(ours).order_by("sequence"))
    assert [each.sequence for each in rows] == list(range(1, 9))
    assert [each.previous_hash for each in rows[1:]] == [each.hash for each in rows[:-1]]
    assert len({each.hash for each in rows}) == 8
    for each in (ours, theirs):
        assert chain.verify(each).intact
    assert chain.verify(ours).events == 8


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_chained_too(ours: UUID) -> None:
    """A row is made, others are made and sealed, and only then the first one commits."""
    made, sealed = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            trail.record("custom.slow", "late", organization_id=ours)
            made.set()
            if connection.vendor == "postgresql":  # SQLite takes one writer at a time: there nobody comes in between.
                assert sealed.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert made.wait(20)
    recorded(ours, 3)
    sealed.set()
    thread.join(20)
    chain.seal_all()
    rows = list(AuditEvent.objects.of(ours).order_by("sequence"))
    assert [each.sequence for each in rows] == [1, 2, 3, 4]
    if connection.vendor == "postgresql":
        assert rows[-1].action == "late"
    assert chain.verify(ours).intact


@pytest.mark.django_db(transaction=True)
def test_many_record_and_seal_at_once(ours: UUID) -> None:
    start = threading.Barrier(6)
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            start.wait(20)
            for each in range(10):
                with transaction.atomic():
                    trail.record("custom.thing", f"{number} {each}", organization_id=ours)
                if number % 2:
                    chain.seal_all()
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert problems == []
    chain.seal_all()
    found = chain.verify(ours)
    assert (found.problem, found.events, found.unsealed) == (None, 60, 0)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_who_records_waits_for_nobody_not_even_for_the_sealer(ours: UUID) -> None:
    recorded(ours, 1)
    done = threading.Event()

    def other() -> None:
        with transaction.atomic():
            trail.record("custom.thing", "beside", organization_id=ours)
        done.set()
        connection.close()

    with transaction.atomic():
        chain.locked(ours)
        trail.record("custom.thing", "not committed", organization_id=ours)
        thread = threading.Thread(target=other)
        thread.start()
        assert done.wait(10), "the other one waited for a lock"
    thread.join(10)
    assert chain.seal_all() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit_events SET action = 'nothing' WHERE sequence = 3", 3),
        ("UPDATE audit_events SET details = '{}' WHERE sequence = 1", 1),
        ("UPDATE audit_events SET user_id = id WHERE sequence = 5", 5),
        ("DELETE FROM audit_events WHERE sequence = 2", 2),
        ("DELETE FROM audit_events WHERE sequence = 1", 1),
        ("DELETE FROM audit_events WHERE sequence > 3", 4),
        ("UPDATE audit_events SET sequence = 7 WHERE sequence = 5", 5),
        (
            "UPDATE audit_chains SET last_hash = previous.hash FROM audit_events AS previous WHERE previous.sequence = 4",
            6,
        ),
    ],
)
def test_tampering_is_found_and_said_where(ours: UUID, statement: str, broken: int) -> None:
    recorded(ours, 5)
    with intruder() as run:
        run(statement)
    found = chain.verify(ours)
    assert not found.intact
    assert found.first_broken == broken


@pytest.mark.django_db
def test_guards_that_let_everything_pass_are_none(ours: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(ours, 1)
    assert guards.missing() == []
    with monkeypatch.context() as patched:
        patched.setattr(guards, "_RULES", {name: (*rule[:2], "1 = 0") for name, rule in guards._RULES.items()})
        guards.install()
    assert set(guards.missing()) == guards.NAMES
    assert "no longer guards the trail" in str(chain.verify(ours).problem)
    guards.install()
    assert chain.verify(ours).intact


@pytest.mark.django_db
def test_what_was_forgotten_must_be_what_the_log_knows(ours: UUID) -> None:
    recorded(ours, 3)
    anchors = (chain.Anchor(ours, 3, "0" * 64),)
    services.prune(ours, before=timezone.now() + dt.timedelta(seconds=1))
    assert chain.verify(ours).intact
    assert "another hash than the log says" in str(chain.verify(ours, anchors=anchors).problem)


@pytest.mark.django_db
def test_two_events_that_changed_places_are_found(ours: UUID) -> None:
    recorded(ours, 4)
    with intruder() as run:
        run("UPDATE audit_events SET sequence = 0 WHERE sequence = 2")
        run("UPDATE audit_events SET sequence = 2 WHERE sequence = 3")
        run("UPDATE audit_events SET sequence = 3 WHERE sequence = 0")
    assert chain.verify(ours).first_broken == 2


@pytest.mark.django_db
def test_an_end_that_was_cut_off_with_its_head_is_known_to_the_log(
    ours: UUID, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(ours, 5)
    with caplog.at_level("INFO", "audit.anchors"):
        assert services.anchor_all() == 1
        assert services.anchor_all() == 0
    log = tmp_path / "auterity.log"
    log.write_text("2026-01-01 something else audit_anchor chain=x\n" + "\n".join(caplog.messages))
    call_command("audit", "verify", anchors=str(log), stdout=StringIO())
    fourth = AuditEvent.objects.of(ours).get(sequence=4)
    with intruder() as run:
        run("DELETE FROM audit_events WHERE sequence = 5")
        run("UPDATE audit_chains SET last_sequence = 4, last_hash = %s WHERE id = %s", fourth.hash, ours)
        assert chain.verify(ours).problem == "Event 5 was put into the log; the trail ends at 4."
        run("UPDATE audit_chains SET anchored_sequence = 4 WHERE id = %s", ours)
    assert chain.verify(ours).intact  # Nothing in the database tells of it.
    out = StringIO()
    with pytest.raises(CommandError, match="1 trails are not as they were recorded"):
        call_command("audit", "verify", anchors=str(log), stdout=out)
    assert "its end was cut off" in out.getvalue()


@pytest.mark.django_db
def test_a_trail_that_was_written_anew_is_known_to_the_log(ours: UUID) -> None:
    recorded(ours, 3)
    head = AuditChain.objects.get(pk=ours)
    anchor = chain.Anchor(ours, head.last_sequence, head.last_hash)
    with intruder() as run:
        run("UPDATE audit_events SET action = 'forged', sequence = NULL WHERE chain = %s", ours)
        run("UPDATE audit_chains SET last_sequence = 0, last_hash = %s WHERE id = %s", "0" * 64, ours)
    chain.seal_all()
    assert chain.verify(ours).intact
    found = chain.verify(ours, anchors=(anchor,))
    assert found.first_broken == 3
    assert "written anew" in str(found.problem)


@pytest.mark.django_db
def test_what_is_older_than_the_policy_goes_and_the_rest_still_proves_itself(
    ours: UUID, theirs: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(ours, 4)
    recorded(theirs, 1)
    later = timezone.now() + dt.timedelta(days=settings.AUDIT["keep_days"], minutes=1)
    assert services.prune(ours, now=timezone.now()) == 0
    assert services.prune(ours, now=later) == 4
    recorded(ours, 2)
    rows = list(AuditEvent.objects.of(ours).order_by("sequence"))
    assert [each.sequence for each in rows] == [5, 6, 7]
    assert rows[0].event_type == "audit.pruned"
    assert rows[0].details["count"] == 4
    assert chain.verify(ours).intact
    assert AuditEvent.objects.of(theirs).count() == 1


@pytest.mark.django_db
def test_a_beginning_that_was_cut_off_without_a_word_is_found(ours: UUID) -> None:
    """Raising `pruned_sequence` lets rows be deleted; it cannot be done in silence."""
    recorded(ours, 5)
    third = AuditEvent.objects.of(ours).get(sequence=3)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_chains SET pruned_sequence = 3, pruned_hash = %s WHERE id = %s", [third.hash, sql.value(ours)]
        )
        cursor.execute("DELETE FROM audit_events WHERE sequence <= 3")
    found = chain.verify(ours)
    assert not found.intact
    assert "does not tell of it" in str(found.problem)


@pytest.mark.django_db
def test_operators_search_and_export(ours: UUID, theirs: UUID) -> None:
    recorded(ours, 3)
    recorded(theirs, 1)
    out = StringIO()
    call_command("audit", "search", organization=str(ours), event_type="custom.*", stdout=out)
    assert out.getvalue().count("custom.thing") == 3
    out = StringIO()
    call_command("audit", "export", organization=str(ours), format="csv", stdout=out)
    assert len(out.getvalue().splitlines()) == 4
    with pytest.raises(CommandError, match="is not an id"):
        call_command("audit", "search", organization="x", stdout=out)
