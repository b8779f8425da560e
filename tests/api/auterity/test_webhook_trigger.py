"""The webhook door: who is let in, what starts, and what a repeat gets."""

from __future__ import annotations

import hmac
import json
import threading
import time
from typing import Any

import orjson
import pytest
from django.db import connections

from executions.models import Execution, ExecutionStep, WebhookReceipt
from tests.api.auterity.hooks import BODY, SECRET, graph, make, post, signed
from tests.api.people import Api, Person, refusal
from workflows.models import WorkflowVersion

pytestmark = pytest.mark.django_db
live = pytest.mark.django_db(transaction=True)

MULTIPART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nb\r\n--x--'
NOBODY = "018f0000-0000-7000-8000-000000000000"


def context() -> dict[str, Any]:
    found: dict[str, Any] = Execution.unscoped.get().context["webhook"]
    return found


# -- starting --------------------------------------------------------------------------------------------------------


def test_a_call_starts_the_workflow_with_its_body(api: Api, ann: Person) -> None:
    answer = post(make(api, authentication="hmac", secret=SECRET), X_Webhook_Signature=signed())
    assert answer.status_code == 202
    execution = Execution.unscoped.get()
    assert answer.json().keys() == {"execution_id", "status", "created_at"}
    assert (answer.json()["execution_id"], answer.json()["status"]) == (str(execution.id), "pending")
    assert execution.input_data == json.loads(BODY)
    assert (execution.organization_id, execution.created_by_id) == (ann.actor.organization_id, ann.actor.user_id)


@live
def test_the_trigger_hands_on_what_came(api: Api, worker: None, ended: Any) -> None:
    path = make(api, authentication="token", secret=SECRET)
    answer = post(f"{path}?a=1&b=2&b=3", X_Webhook_Token=SECRET, X_Event="lead", Cookie="s=1")
    done = ended(api, answer.json()["execution_id"])
    assert done["output_data"] == {"lead": "42", "via": "POST"}
    output = done["steps"][0]["output_data"]
    assert (output["body"], output["query"], output["method"]) == (
        json.loads(BODY),
        {"a": "1", "b": ["2", "3"]},
        "POST",
    )
    assert output["headers"]["x-event"] == "lead"
    assert not {"cookie", "authorization", "x-webhook-token", "x-webhook-signature"} & set(output["headers"])
    assert SECRET not in json.dumps(done)


@pytest.mark.parametrize(
    ("media", "body", "inputs"),
    [
        ("application/json", b"", {}),
        ("application/vnd.github+json; charset=utf-8", b'{"a": [1]}', {"a": [1]}),
        ("application/x-www-form-urlencoded", b"a=1&b=x%20y&b=z&c=", {"a": "1", "b": ["x y", "z"], "c": ""}),
        ("text/plain", "Grüße".encode(), {"body": "Grüße"}),
        ("application/xml", b"<adf/>", {"body": "<adf/>"}),
    ],
)
def test_what_a_body_may_be(api: Api, media: str, body: bytes, inputs: dict[str, Any]) -> None:
    assert post(make(api), body, media).status_code == 202
    assert Execution.unscoped.get().input_data == inputs
    assert context()["body"] == inputs.get("body", inputs)


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("application/json", b"[1]", 400),
        ("application/json", b'"text"', 400),
        ("application/json", b"{", 400),
        ("application/json", b'{"a": 1, "a": 2}', 400),
        ("application/json", b'{"a": "\\u0000"}', 400),
        ("text/plain", b"\xff", 400),
        ("text/plain", b"a\x00b", 400),
        ("application/x-www-form-urlencoded", b"a&" * 2000, 400),
        ("multipart/form-data; boundary=x", MULTIPART, 415),
        ("application/json", b'{"a": "' + b"x" * 1_000_000 + b'"}', 413),
    ],
)  # fmt: skip
def test_what_a_body_may_not_be(api: Api, media: str, body: bytes, status: int) -> None:
    answer = post(make(api), body, media)
    assert answer.status_code == status, answer.content
    assert answer.json()["error"]["code"]
    assert not Execution.unscoped.exists()


@pytest.mark.parametrize("name", ["definition", "nodes", "data", "version", "context", "webhook_url", "file", "path"])
def test_a_body_is_data_and_nothing_else(api: Api, name: str) -> None:
    """RELIABILITY, section 3, rows 8 and 33: neither a graph nor a file handle comes from a caller."""
    path = make(api)
    frozen = list(WorkflowVersion.unscoped.values_list("checksum"))
    evil = {"nodes": [{"id": "x", "type": "start"}], "edges": [], "filepath": "/etc/passwd"}
    assert post(path, orjson.dumps({name: evil})).status_code == 202
    execution = Execution.unscoped.get()
    assert execution.input_data == {name: evil}
    assert (execution.webhook_url, list(execution.context)) == ("", ["webhook"])
    assert list(WorkflowVersion.unscoped.values_list("checksum")) == frozen


# -- the caller's proof ----------------------------------------------------------------------------------------------


def stamp(seconds: float = 0) -> str:
    return str(int(time.time() + seconds))


GOOD = signed()
MUTATIONS: dict[str, tuple[dict[str, Any], bytes, dict[str, str]]] = {
    "no signature": ({}, BODY, {}),
    "empty signature": ({}, BODY, {"X_Webhook_Signature": ""}),
    "only the prefix": ({}, BODY, {"X_Webhook_Signature": "sha256="}),
    "another digit": ({}, BODY, {"X_Webhook_Signature": GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1")}),
    "one digit short": ({}, BODY, {"X_Webhook_Signature": GOOD[:-1]}),
    "one digit more": ({}, BODY, {"X_Webhook_Signature": GOOD + "0"}),
    "upper case": ({}, BODY, {"X_Webhook_Signature": "sha256=" + GOOD[7:].upper()}),
    "another algorithm": ({}, BODY, {"X_Webhook_Signature": "sha1=" + GOOD[7:]}),
    "prefix twice": ({}, BODY, {"X_Webhook_Signature": "sha256=" + GOOD}),
    "sha1": ({}, BODY, {"X_Webhook_Signature": "sha256=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()}),
    "no key": ({}, BODY, {"X_Webhook_Signature": signed(secret="")}),
    "another key": ({}, BODY, {"X_Webhook_Signature": signed(secret=SECRET + "x")}),
    "the secret itself": ({}, BODY, {"X_Webhook_Signature": SECRET}),
    "another body": ({}, BODY + b" ", {"X_Webhook_Signature": GOOD}),
    "the same data spelt otherwise": ({}, orjson.dumps(orjson.loads(BODY)), {"X_Webhook_Signature": GOOD}),
    "no body": ({}, b"", {"X_Webhook_Signature": GOOD}),
    "in a header nobody named": ({}, BODY, {"X_Hub_Signature": GOOD}),
    "as a bearer token": ({}, BODY, {"Authorization": f"Bearer {SECRET}"}),
    "letters beyond ASCII": ({}, BODY, {"X_Webhook_Signature": "sha256=é"}),
    "too old": ({}, BODY, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": "-400"}),
    "too far ahead": ({}, BODY, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": "+400"}),
    "no number": ({}, BODY, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": "now"}),
    "an endless number": ({}, BODY, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": "9" * 40}),
    "empty time": ({}, BODY, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": ""}),
    "the wanted time is missing": ({"timestamp_header": "X-Sent"}, BODY, {"X_Webhook_Signature": GOOD}),
    "the wanted time is old": ({"timestamp_header": "X-Sent"}, BODY, {"X_Webhook_Signature": GOOD, "X_Sent": "-400"}),
    "outside its own window": ({"tolerance_seconds": 5}, BODY, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": "-60"}),
    "no token": ({"authentication": "token"}, BODY, {}),
    "empty token": ({"authentication": "token"}, BODY, {"X_Webhook_Token": ""}),
    "another token": ({"authentication": "token"}, BODY, {"X_Webhook_Token": SECRET[:-1]}),
    "a longer token": ({"authentication": "token"}, BODY, {"X_Webhook_Token": SECRET + " x"}),
    "a signature for a token": ({"authentication": "token"}, BODY, {"X_Webhook_Signature": GOOD}),
    "basic": ({"authentication": "token"}, BODY, {"Authorization": f"Basic {SECRET}"}),
    "the mask": ({"authentication": "token"}, BODY, {"X_Webhook_Token": "********"}),
    "no secret is set": ({"secret": ""}, BODY, {"X_Webhook_Signature": signed(secret="")}),
    "no token is set": ({"authentication": "token", "secret": ""}, BODY, {"X_Webhook_Token": ""}),
}  # fmt: skip


def at(headers: dict[str, str]) -> dict[str, str]:
    """Times that are written as so many seconds from now."""
    return {name: stamp(int(value)) if value[:1] in ("-", "+") else value for name, value in headers.items()}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_flaw_of_a_proof_gets_the_same_refusal(api: Api, name: str) -> None:
    config, body, headers = MUTATIONS[name]
    answer = post(make(api, **{"authentication": "hmac", "secret": SECRET, **config}), body, **at(headers))
    error = refusal(answer, 401, "AUTH_001")
    assert error["message"] == "The call carries no valid proof of who sent it."
    assert not error.get("details")
    assert not Execution.unscoped.exists()
    assert SECRET.encode() not in answer.content


@pytest.mark.parametrize(
    ("config", "headers"),
    [
        ({}, {"X_Signature_256": GOOD}),
        ({}, {"X_Signature_256": GOOD[7:]}),
        ({"signature_header": "X-Hub-Signature-256"}, {"X_Hub_Signature_256": GOOD}),
        ({"signature_header": "X-Hub-Signature-256"}, {"X_Webhook_Signature": GOOD}),
        ({}, {"X_Webhook_Signature": GOOD, "X_Webhook_Timestamp": "-200"}),
        ({"timestamp_header": "X-Sent"}, {"X_Webhook_Signature": GOOD, "X_Sent": "+200"}),
        ({"authentication": "token"}, {"X_Webhook_Token": SECRET}),
        ({"authentication": "token"}, {"Authorization": f"Bearer {SECRET}"}),
        ({"authentication": "none"}, {"Authorization": "Bearer garbage"}),
    ],
)
def test_a_good_proof_is_let_in(api: Api, config: dict[str, Any], headers: dict[str, str]) -> None:
    path = make(api, **{"authentication": "hmac", "secret": SECRET, **config})
    assert post(path, **at(headers)).status_code == 202
    assert SECRET not in str(context())
    assert GOOD not in str(context())


# -- where there is no such door -------------------------------------------------------------------------------------


def test_there_is_no_door_where_no_active_workflow_has_one(api: Api) -> None:
    path = make(api)
    workflow = path.split("/")[3]
    for wrong in (
        f"/api/workflows/{NOBODY}/triggers/hook",
        path + "x",
        path.replace("hook", "note"),
        path[:-4] + "%00",
    ):
        refusal(post(wrong), 404, "WF_001")
    api.made(f"/api/workflows/{workflow}/deactivate")
    refusal(post(path), 404, "WF_001")
    api.made(f"/api/workflows/{workflow}/activate")
    assert post(path).status_code == 202
    plain = {"nodes": [{"id": "hook", "type": "start"}], "edges": []}
    assert api.put(f"/api/workflows/{workflow}", {"definition": plain}).status_code == 200
    refusal(post(path), 404, "WF_001")
    assert Execution.unscoped.count() == 1


def test_the_newest_version_counts(api: Api) -> None:
    path = make(api)
    address = "/".join(path.split("/")[:4])
    assert api.put(address, {"definition": graph(authentication="token", secret=SECRET)}).status_code == 200
    refusal(post(path), 401, "AUTH_001")
    assert post(path, X_Webhook_Token=SECRET).status_code == 202


def test_only_posting_opens_it(api: Api) -> None:
    path = make(api)
    assert api.get(path).status_code == 405
    api.delete("/".join(path.split("/")[:4]))
    refusal(post(path), 404, "WF_001")


# -- repeats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Idempotency_Key", "X_Webhook_Id"])
def test_a_call_that_comes_again_starts_nothing(api: Api, header: str) -> None:
    path = make(api)
    first = post(path, **{header: "evt_1"})
    again = post(path, b'{"lead_id": "43"}', **{header: "evt_1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert Execution.unscoped.count() == 1
    assert post(path, **{header: "evt_2"}).json()["execution_id"] != first.json()["execution_id"]
    assert post(path).status_code == post(path).status_code == 202
    assert (Execution.unscoped.count(), WebhookReceipt.unscoped.count()) == (4, 2)


def test_the_triggers_own_rule_tells_repeats(api: Api) -> None:
    path = make(api, deduplicate="body.lead_id")
    one = post(path, X_Webhook_Id="a")
    assert post(path, X_Webhook_Id="b").json() == one.json()
    assert post(path, b'{"lead_id": "43"}', X_Webhook_Id="a").json() != one.json()
    error = refusal(post(path, b"{}"), 400, "VAL_001")
    assert "lead_id" in str(error)
    assert Execution.unscoped.count() == 2
    assert post(make(api, deduplicate="headers['x-event'] + query.a") + "?a=1", X_Event="e").status_code == 202


def test_a_key_counts_within_one_trigger_only(api: Api, otto: Person) -> None:
    for path in (make(api), make(api), make(otto.api)):
        assert post(path, Idempotency_Key="same").status_code == 202
    assert Execution.unscoped.count() == 3


def test_a_refused_call_keeps_its_key_free(api: Api) -> None:
    path = make(api)
    assert post(path, b"[]", Idempotency_Key="k").status_code == 400
    assert post(path, Idempotency_Key="k").status_code == 202


@live
def test_repeats_at_the_same_time_start_one_execution(api: Api) -> None:
    path, answers = make(api), []
    ready = threading.Barrier(4)

    def call() -> None:
        ready.wait(10)
        answers.append(post(path, Idempotency_Key="evt"))
        connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [each.status_code for each in answers] == [202] * 4
    assert len({each.json()["execution_id"] for each in answers}) == 1
    assert Execution.unscoped.count() == 1


# -- waiting for the end ---------------------------------------------------------------------------------------------


@live
def test_a_caller_that_waits_gets_what_the_trigger_says(api: Api, worker: None) -> None:
    plain = make(api, respond="when_finished")
    assert (post(plain).status_code, post(plain).json()) == (200, {"lead": "42", "via": "POST"})
    path = make(api, respond="when_finished", response={"ok": True, "lead": "{{ input.lead }}!"})
    first = post(path, Idempotency_Key="k")
    assert (first.status_code, first.json()) == (200, {"ok": True, "lead": "42!"})
    assert post(path, Idempotency_Key="k").json() == first.json()
    assert Execution.unscoped.count() == 3


@live
def test_a_run_that_failed_or_an_answer_that_cannot_be_said_is_told_plainly(api: Api, worker: None) -> None:
    failed = post(make(api, respond="when_finished"), b"{}")
    assert (failed.status_code, failed.json()["status"]) == (200, "failed")
    unsayable = post(make(api, respond="when_finished", response="{{ input.nothing }}"))
    assert (unsayable.status_code, unsayable.json()["status"]) == (200, "completed")


def test_waiting_has_its_bound(api: Api, settings: Any) -> None:
    settings.ENGINE = {**settings.ENGINE, "sync_wait_seconds": 0.05}
    answer = post(make(api, respond="when_finished"))
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")


@live
def test_a_repeat_of_a_run_that_ended_says_so(api: Api, worker: None, ended: Any) -> None:
    path = make(api)
    first = post(path, Idempotency_Key="k").json()
    ended(api, first["execution_id"])
    again = post(path, Idempotency_Key="k")
    assert (again.status_code, again.json()["status"]) == (200, "completed")
    assert ExecutionStep.objects.count() == 2
