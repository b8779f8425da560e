"""Files handed in with hosted forms: checked as any upload, the organization's own, and gone when the form is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from artefacts import services as artefacts
from artefacts.models import Artefact, Purpose, StorageUse
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput
from executions import questions
from executions.hints import HINTS
from executions.models import Execution, OpenQuestion, QuestionAnswer
from executions.people import link_of
from executions.runner import Runner
from tests.executions.support import ended, flow, person, save, start, until

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = [{"name": "email", "type": "email", "required": True}, {"name": "licence", "label": "Licence", "type": "file"}]
CSV = b"name,age\nann,3\n"


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "folder": str(tmp_path / "files")}


@pytest.fixture
def runner(transactional_db: None) -> Iterator[Runner]:
    runner = Runner()
    HINTS.use(runner)
    runner.start()
    yield runner
    HINTS.use(None)
    runner.stop(grace=10)


@pytest.fixture
def actor(transactional_db: None) -> Actor:
    return person()


def file(name: str = "rows.csv", content: bytes = CSV, sent_as: str = "text/csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, sent_as)


def start_form(actor: Actor, fields: Any = FIELDS) -> str:
    config = {"title": "Apply", "who": "public", "fields": fields}
    workflow = save(actor, flow({"form": ("form-input", config), "b": "start"}, "form > b"))
    return f"/forms/{workflow.id}/form"


def mid_run_form(actor: Actor) -> tuple[Execution, str]:
    config = {"title": "Apply", "who": "public", "fields": FIELDS}
    accepted = start(actor, flow({"a": "start", "form": ("form-input", config)}, "a > form"))
    until(lambda: OpenQuestion.unscoped.filter(execution=accepted).exists(), what="a question")
    return accepted, "/answer/" + link_of(f"{accepted.id}/form/0").rpartition("/")[2]


def nothing_is_kept() -> bool:
    return not Artefact.unscoped.exists() and not any(each.bytes for each in StorageUse.unscoped.all())


def test_a_file_starts_a_run_with_its_id(actor: Actor, runner: Runner, client: Client) -> None:
    address = start_form(actor)
    page = client.get(address).content.decode()
    assert 'enctype="multipart/form-data"' in page
    assert 'type="file"' in page
    assert client.post(address, {"field-email": "jo@example.com", "field-licence": file()}).status_code == 202
    row = Artefact.unscoped.get()
    assert (row.organization_id, row.name, row.purpose) == (actor.organization_id, "rows.csv", Purpose.UPLOAD)
    assert row.created_by_id is None
    done = ended(Execution.unscoped.get())
    assert (done.status, done.output_data) == ("completed", {"email": "jo@example.com", "licence": str(row.id)})


def test_a_form_without_its_file_is_taken_where_none_is_required(actor: Actor, client: Client) -> None:
    assert client.post(start_form(actor), {"field-email": "jo@example.com"}).status_code == 202
    assert Execution.unscoped.get().input_data == {"email": "jo@example.com", "licence": None}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"field-email": "nobody", "field-licence": file()}, "must be an e-mail address"),
        ({"field-email": "jo@example.com", "field-licence": file("rows.exe")}, "extension"),
        ({"field-email": "jo@example.com", "field-licence": file("a.pdf", CSV, "application/pdf")}, "something else"),
        ({"field-email": "jo@example.com", "field-licence": file(content=b"")}, "empty"),
    ],
)
def test_nothing_is_kept_of_a_form_that_is_refused(
    actor: Actor, runner: Runner, client: Client, given: dict[str, Any], told: str
) -> None:
    _accepted, answer = mid_run_form(actor)
    for address in (start_form(actor), answer):
        for each in given.values():
            each.seek(0) if isinstance(each, SimpleUploadedFile) else None
        refused = client.post(address, given)
        assert refused.status_code == 400
        assert told in refused.content.decode()
        assert nothing_is_kept()
    assert QuestionAnswer.unscoped.count() == 0
    assert Execution.unscoped.count() == 1


def test_a_file_too_large_is_cut_off_as_it_comes(actor: Actor, client: Client, settings: Any) -> None:
    settings.ARTEFACTS = {**settings.ARTEFACTS, "max_upload_bytes": 1000}
    refused = client.post(
        start_form(actor), {"field-email": "jo@example.com", "field-licence": file(content=b"a" * 2000)}
    )
    assert refused.status_code == 400
    assert "A file may have 1,000 bytes." in refused.content.decode()
    assert nothing_is_kept()
    assert Execution.unscoped.count() == 0


def test_a_text_in_a_files_place_is_no_file(actor: Actor, client: Client) -> None:
    """Whoever has a public form's address may not have a workflow read a file that others handed in."""
    mine = artefacts.upload(actor=actor, name="secret.csv", declared_type="text/csv", file=file().file)
    address = start_form(actor, [{**FIELDS[1], "required": True}])
    for sent in (str(mine.id), f'{{"file": "{mine.id}"}}', "/etc/passwd"):
        refused = client.post(address, {"field-licence": sent})
        assert (refused.status_code, "is required" in refused.content.decode()) == (400, True)
    assert Execution.unscoped.count() == 0


def test_a_file_that_nobody_asked_for_is_passed_over(actor: Actor, client: Client) -> None:
    address = start_form(actor, FIELDS[:1])
    assert (
        client.post(address, {"field-email": "jo@example.com", "field-email2": file(), "file": file()}).status_code
        == 202
    )
    assert nothing_is_kept()
    assert Execution.unscoped.get().input_data == {"email": "jo@example.com"}


def test_a_form_sent_twice_keeps_the_first_file_only(actor: Actor, client: Client) -> None:
    address = start_form(actor)
    for _ in range(2):
        sent = {"field-email": "jo@example.com", "field-licence": file(), "once": "abc"}
        assert client.post(address, sent).status_code == 202
    assert Execution.unscoped.get().input_data["licence"] == str(Artefact.unscoped.get().id)


def test_a_waiting_run_goes_on_with_the_file(actor: Actor, runner: Runner, client: Client) -> None:
    accepted, address = mid_run_form(actor)
    assert client.post(address, {"field-email": "jo@example.com", "field-licence": file()}).status_code == 200
    done = ended(accepted)
    assert done.output_data == {"email": "jo@example.com", "licence": str(Artefact.unscoped.get().id)}


def test_a_member_answers_with_an_id_of_their_own_organization(actor: Actor, runner: Runner) -> None:
    accepted, _address = mid_run_form(actor)
    question = OpenQuestion.unscoped.get(execution=accepted)
    other = person("otto@example.org")
    foreign = artefacts.upload(actor=other, name="b.csv", declared_type="text/csv", file=file().file)
    mine = artefacts.upload(actor=actor, name="a.csv", declared_type="text/csv", file=file().file)
    for wrong in (str(foreign.id), "00000000-0000-7000-8000-000000000000"):
        with pytest.raises(InvalidInput) as refused:
            questions.answer(
                actor=actor, question_id=question.id, given={"values": {"email": "a@example.com", "licence": wrong}}
            )
        assert [each.field for each in refused.value.problems] == ["values.licence"]
        assert "names no file of this organization" in refused.value.problems[0].message
    assert QuestionAnswer.unscoped.count() == 0
    given = {"values": {"email": "a@example.com", "licence": {"file": str(mine.id)}}}
    questions.answer(actor=actor, question_id=question.id, given=given)
    assert ended(accepted).output_data["licence"] == str(mine.id)
