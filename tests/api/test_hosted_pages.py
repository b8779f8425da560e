"""Pages for people who do not sign in, over real HTTP requests: what opens them decides nothing, what is sent is checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from auterity.kernel.access import Actor
from executions.hints import HINTS
from executions.models import Execution, OpenQuestion, QuestionAnswer
from executions.people import link_of
from executions.runner import Runner
from tests.executions.support import ended, flow, person, save, start, steps_of, until
from workflows import services as workflows

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = [
    {"name": "discount", "label": "Discount <b>in %</b>", "type": "number", "required": True},
    {"name": "kind", "type": "select", "options": ["new", "used"]},
    {"name": "urgent", "type": "boolean"},
]


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


def asked(execution: Execution) -> OpenQuestion:
    until(lambda: OpenQuestion.unscoped.filter(execution=execution, closed_at=None).exists(), what="a question")
    return OpenQuestion.unscoped.get(execution=execution, closed_at=None)


def approval_page(actor: Actor, email: str = "dan@elsewhere.com", **config: Any) -> tuple[Execution, str]:
    settings = {"title": "A <script> discount?", "message": "Please decide.", "assignees": [email], "fields": FIELDS}
    accepted = start(actor, flow({"ask": ("approval", {**settings, **config})}))
    asked(accepted)
    return accepted, "/answer/" + link_of(f"{accepted.id}/ask/0", email).rpartition("/")[2]


def test_opening_the_link_decides_nothing_however_often(actor: Actor, runner: Runner, client: Client) -> None:
    """Mail scanners follow links, with GET and HEAD and more than once."""
    _accepted, address = approval_page(actor)
    for opened in (client.get(address), client.head(address), client.get(address + "?decision=approve")):
        assert opened.status_code == 200
    page = client.get(address).content.decode()
    assert "A &lt;script&gt; discount?" in page
    assert "Discount &lt;b&gt;in %&lt;/b&gt;" in page
    assert "<script" not in page
    assert QuestionAnswer.unscoped.count() == 0
    assert client.delete(address).status_code == 405
    assert client.put(address, {"decision": "approve"}, "application/json").status_code == 405


def test_a_page_says_what_is_wrong_and_keeps_what_was_given(actor: Actor, runner: Runner, client: Client) -> None:
    _accepted, address = approval_page(actor)
    refused = client.post(address, {"decision": "approve", "field-discount": "many", "comment": "Half off"})
    assert refused.status_code == 400
    page = refused.content.decode()
    assert "must be a number" in page
    assert 'value="many"' in page
    assert "Half off" in page
    assert client.post(address, {"field-discount": "5"}).status_code == 400
    assert QuestionAnswer.unscoped.count() == 0


def test_what_is_sent_decides_once(actor: Actor, runner: Runner, client: Client) -> None:
    accepted, address = approval_page(actor)
    sent = {"decision": "approve", "field-discount": "5", "field-kind": "used", "field-urgent": "on", "comment": "Fine"}
    assert client.post(address, sent).status_code == 200
    assert ended(accepted).status == "completed"
    output = steps_of(accepted)["ask"].output_data
    assert output["fields"] == {"discount": 5, "kind": "used", "urgent": True}
    assert [(vote["email"], vote["comment"]) for vote in output["by"]] == [("dan@elsewhere.com", "Fine")]
    again = client.post(address, {"decision": "reject"})
    assert again.status_code == 409
    assert client.get(address).status_code == 409
    assert steps_of(accepted)["ask"].output_data == output


@pytest.mark.parametrize("change", ["forged", "another person", "garbage"])
def test_a_link_that_is_not_ours_opens_nothing(actor: Actor, runner: Runner, client: Client, change: str) -> None:
    accepted, address = approval_page(actor)
    other = {
        "forged": address[:-2] + ("xx" if address[-2:] != "xx" else "yy"),
        "another person": "/answer/" + link_of(f"{accepted.id}/ask/0", "eve@elsewhere.com").rpartition("/")[2],
        "garbage": "/answer/%00%ff..",
    }[change]
    assert client.get(other).status_code == 404
    assert client.post(other, {"decision": "approve"}).status_code == 404
    assert QuestionAnswer.unscoped.count() == 0


def test_pages_are_closed_to_caches_frames_and_foreign_scripts(actor: Actor, runner: Runner, client: Client) -> None:
    _accepted, address = approval_page(actor)
    page = client.get(address)
    assert page["Cache-Control"] == "no-store"
    assert page["Referrer-Policy"] == "no-referrer"
    assert page["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]


# -- forms that start ------------------------------------------------------------------------------------------------


def public_form(actor: Actor, who: Any = "public") -> str:
    config = {"title": "Test drive", "fields": FIELDS, "who": who}
    workflow = save(actor, flow({"form": ("form-input", config), "b": "start"}, "form > b"))
    return f"/forms/{workflow.id}/form"


def test_a_public_form_starts_a_run_with_checked_values(actor: Actor, runner: Runner, client: Client) -> None:
    address = public_form(actor)
    assert "Test drive" in client.get(address).content.decode()
    assert client.post(address, {"field-kind": "new"}).status_code == 400
    assert Execution.unscoped.count() == 0
    assert client.post(address, {"field-discount": "7", "field-kind": "new"}).status_code == 202
    done = ended(Execution.unscoped.get())
    assert (done.status, done.origin) == ("completed", "form")
    assert done.input_data == {"discount": 7, "kind": "new", "urgent": False}


@pytest.mark.parametrize("body", [b"", b"a=b", b"{}"])
def test_a_post_of_nothing_starts_no_run(actor: Actor, client: Client, body: bytes) -> None:
    """Even where every field may be left out, as a scanner's POST to every address it found would."""
    config = {"title": "Newsletter", "fields": [{"name": "kind", "type": "string"}], "who": "public"}
    workflow = save(actor, flow({"form": ("form-input", config)}))
    address = f"/forms/{workflow.id}/form"
    refused = client.post(address, body, "application/x-www-form-urlencoded")
    assert refused.status_code == 400
    assert "Newsletter" in refused.content.decode()
    assert Execution.unscoped.count() == 0
    assert client.post(address, {"sent": "yes"}).status_code == 202
    assert Execution.unscoped.count() == 1


def test_a_post_of_nothing_answers_no_form(actor: Actor, runner: Runner, client: Client) -> None:
    config = {"title": "Anything else?", "fields": [{"name": "more", "type": "text"}], "who": ["dan@elsewhere.com"]}
    accepted = start(actor, flow({"a": "start", "ask": ("form-input", config)}, "a > ask"))
    asked(accepted)
    address = "/answer/" + link_of(f"{accepted.id}/ask/0", "dan@elsewhere.com").rpartition("/")[2]
    assert client.post(address).status_code == 400
    assert QuestionAnswer.unscoped.count() == 0
    assert 'name="sent"' in client.get(address).content.decode()
    assert client.post(address, {"sent": "yes"}).status_code == 200
    assert ended(accepted).output_data == {"more": None}


def test_a_form_that_is_sent_twice_starts_one_run(actor: Actor, client: Client) -> None:
    address = public_form(actor)
    page = client.get(address).content.decode()
    once = page.split('name="once" value="')[1].split('"')[0]
    for _ in range(2):
        assert client.post(address, {"field-discount": "7", "once": once}).status_code == 202
    assert Execution.unscoped.count() == 1


@pytest.mark.parametrize("who", ["members", ["ann@example.com"]])
def test_a_form_that_is_not_public_is_not_shown(actor: Actor, client: Client, who: Any) -> None:
    address = public_form(actor, who)
    assert client.get(address).status_code == 404
    assert client.post(address, {"field-discount": "7"}).status_code == 404
    assert Execution.unscoped.count() == 0


def test_a_form_of_a_workflow_that_is_off_is_closed(actor: Actor, client: Client) -> None:
    address = public_form(actor)

    workflows.set_active(actor=actor, workflow_id=address.split("/")[2], active=False)
    assert client.post(address, {"field-discount": "7"}).status_code == 404
    assert Execution.unscoped.count() == 0
