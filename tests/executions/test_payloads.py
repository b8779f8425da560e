"""Large values of a run: kept as files, read when asked for, invisible to whoever reads the value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from artefacts import selectors as artefacts
from artefacts.errors import FileNotFound, StorageFull
from artefacts.models import Artefact, Purpose
from auterity.kernel.access import Actor
from executions.payloads import LazyOutputs, Payloads, is_wrapped, size_of

RUN = uuid4()
LARGE = {"items": [{"n": n, "text": "x" * 50} for n in range(10)]}


@pytest.fixture
def payloads(actor: Actor, engine: Callable[..., None], settings: Any, tmp_path: Path) -> Payloads:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": tmp_path / "files"}
    engine(inline_bytes=200)
    return Payloads(actor.organization_id, RUN)


def again(actor: Actor) -> Payloads:
    """As another worker reads them."""
    return Payloads(actor.organization_id, RUN)


def rows(actor: Actor) -> list[Artefact]:
    return list(Artefact.objects.of(actor))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [1, 2],
        {"a": 1},
        {"$kept": {"file": "01931f0e-7b1a-7c3e-9d52-0a4bb6a5a001", "bytes": 3}},
        {"$kept": {"value": 1}},
        {"$kept": 1, "more": 2},
        [{"$kept": {"file": "x"}}],
    ],
)
def test_a_small_value_stays_in_its_row(actor: Actor, payloads: Payloads, value: Any) -> None:
    stored = payloads.keep(value, key="node/0")
    assert again(actor).load(orjson.loads(orjson.dumps(stored))) == value
    assert rows(actor) == []
    assert size_of(stored) is None


def test_a_large_value_is_kept_as_a_file(actor: Actor, payloads: Payloads) -> None:
    stored = payloads.keep(LARGE, key="node/0")
    (row,) = rows(actor)
    assert stored == {"$kept": {"file": str(row.pk), "bytes": len(orjson.dumps(LARGE))}}
    assert (row.purpose, row.execution_id, row.size) == (Purpose.PAYLOAD, RUN, len(orjson.dumps(LARGE)))
    assert again(actor).load(stored) == LARGE
    assert (is_wrapped(stored), size_of(stored)) == (True, row.size)
    assert list(artefacts.artefacts(actor=actor)) == []


def test_the_bound_is_in_bytes_of_json(actor: Actor, payloads: Payloads) -> None:
    assert payloads.keep("x" * 198, key="a/0") == "x" * 198
    assert is_wrapped(payloads.keep("x" * 199, key="a/0"))


def test_a_repeated_step_leaves_one_file_with_the_newer_value(actor: Actor, payloads: Payloads) -> None:
    first = payloads.keep(LARGE, key="node/0")
    second = payloads.keep(["y" * 500], key="node/0")
    assert first["$kept"]["file"] == second["$kept"]["file"]
    assert payloads.load(second) == again(actor).load(second) == ["y" * 500]
    assert len(rows(actor)) == 1


def test_a_value_is_read_once_a_run_until_it_is_forgotten(actor: Actor, payloads: Payloads) -> None:
    stored = payloads.keep(LARGE, key="node/0")
    reader = again(actor)
    value = reader.load(stored)
    assert reader.load(stored) is value
    reader.forget()
    assert reader.load(stored) == value
    assert reader.load(stored) is not value


def test_what_one_run_holds_is_bounded(actor: Actor, payloads: Payloads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("executions.payloads.CACHE_BYTES", 1500)
    stored = [payloads.keep([n, "x" * 500], key=f"node/{n}") for n in range(4)]
    reader = again(actor)
    values = [reader.load(each) for each in stored]
    assert reader.load(stored[3]) is values[3]
    assert reader.load(stored[0]) is not values[0]
    assert reader.load(stored[0]) == [0, "x" * 500]


def test_outputs_are_read_only_when_asked_for(actor: Actor, payloads: Payloads) -> None:
    stored = payloads.keep(LARGE, key="big/0")
    outputs = LazyOutputs(again(actor))
    outputs.keep("big", stored)
    outputs["small"] = {"$kept": {"file": "made by a step"}}
    (row,) = rows(actor)
    Artefact.objects.of(actor).filter(pk=row.pk).update(sha256="0" * 64)
    assert (list(outputs), len(outputs), "big" in outputs) == (["big", "small"], 2, True)
    assert outputs["small"] == {"$kept": {"file": "made by a step"}}
    Artefact.objects.of(actor).filter(pk=row.pk).update(sha256=row.sha256)
    assert outputs["big"] == LARGE
    assert outputs.pop("small")
    assert dict(outputs) == {"big": LARGE}


def test_another_organizations_file_cannot_be_read_by_a_reference(actor: Actor, payloads: Payloads) -> None:
    stored = payloads.keep(LARGE, key="node/0")
    with pytest.raises(FileNotFound):
        Payloads(UUID(int=1), RUN).load(stored)


def test_without_room_nothing_is_kept(actor: Actor, payloads: Payloads, settings: Any) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_organization_bytes": 300}
    with pytest.raises(StorageFull):
        payloads.keep(LARGE, key="node/0")
    assert rows(actor) == []
