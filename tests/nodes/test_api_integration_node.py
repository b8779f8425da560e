import json
from typing import Any

import pytest

from engine.node import Done, Failed
from engine.ports import HttpAnswer, HttpCall, Unavailable
from engine.testing import FakeStep, ScriptedHttp, answer, memory_ports, problems_of, run_node

URL = "https://api.example.com/leads"


def call(config: dict[str, Any], reply: HttpAnswer | Exception | None = None) -> tuple[Any, HttpCall]:
    ports = memory_ports(answers=[reply or answer("{}")])
    outcome = run_node("api-integration", {"url": URL, **config}, FakeStep(ports=ports, key="e/n/0"))
    assert isinstance(ports.http, ScriptedHttp)
    return outcome, ports.http.calls[0]


def test_a_get_brings_status_headers_and_body() -> None:
    outcome, sent = call(
        {"query": {"page": 1}}, answer('{"id": 7}', headers={"Content-Type": "application/json", "X-A": "b"})
    )
    assert outcome == Done(
        {
            "status": 200,
            "headers": {"content-type": "application/json", "x-a": "b"},
            "body": {"id": 7},
            "elapsed_ms": 12,
        },
        receipt="200",
    )
    assert sent == HttpCall(key="e/n/0", method="GET", url=URL, query={"page": 1})


@pytest.mark.parametrize(
    ("body_type", "body", "data", "media_type"),
    [
        ("json", {"a": "é", "b": None}, '{"a":"é","b":null}', "application/json"),
        ("json", "text", '"text"', "application/json"),
        ("json", False, "false", "application/json"),
        (
            "form",
            {"a": "1 2", "b": ["x", 3], "c": None, "d": True},
            "a=1+2&b=x&b=3&d=true",
            "application/x-www-form-urlencoded",
        ),
        ("text", "plain ü", "plain ü", "text/plain; charset=utf-8"),
        ("text", {"a": 1}, '{"a":1}', "text/plain; charset=utf-8"),
    ],
)
def test_bodies(body_type: str, body: Any, data: str, media_type: str) -> None:
    _, sent = call({"method": "post", "body": body, "body_type": body_type})
    assert (sent.method, sent.body.decode(), sent.headers["Content-Type"]) == ("POST", data, media_type)


def test_a_given_content_type_is_kept_and_no_body_has_none() -> None:
    _, sent = call({"method": "POST", "body": {}, "headers": {"content-type": "application/vnd.api+json"}})
    assert sent.headers == {"content-type": "application/vnd.api+json"}
    _, bare = call({"method": "DELETE"})
    assert (bare.headers, bare.body) == ({}, b"")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "rejected"), (401, "rejected"), (404, "rejected"), (408, "unavailable"), (425, "unavailable"),
        (429, "unavailable"), (500, "unavailable"), (503, "unavailable"), (301, "rejected"), (304, "rejected"),
    ],
)  # fmt: skip
def test_an_unexpected_status_says_whether_trying_again_can_help(status: int, code: str) -> None:
    outcome, _ = call({"url": URL + "?token=secret"}, answer("x" * 900, status, {"Retry-After": "30"}))
    assert outcome == Failed(
        code,
        f"GET api.example.com answered {status}, expected was 200..299.",
        {"status": status, "body": "x" * 500, "retry_after": "30"},
    )


@pytest.mark.parametrize(
    ("expected", "status", "fine"),
    [([404], 404, True), ([201], 200, False), (["200..299", 304], 304, True), (["404"], 404, True), ([], 200, False)],
)
def test_expected_statuses_are_numbers_and_ranges(expected: list[Any], status: int, fine: bool) -> None:
    outcome, _ = call({"expect_status": expected}, answer("{}", status))
    assert isinstance(outcome, Done) is fine


def test_a_success_that_was_not_expected_is_not_tried_again() -> None:
    outcome, _ = call({"method": "POST", "expect_status": [201]}, answer("{}", 200))
    assert isinstance(outcome, Failed)
    assert outcome.code == "rejected"


def test_an_answer_that_is_no_json() -> None:
    outcome, _ = call({}, answer("<html>", headers={"Content-Type": "text/html"}))
    assert isinstance(outcome, Failed)
    assert outcome.code == "rejected"
    assert outcome.message == (
        "GET api.example.com answered 200 (text/html), but not with JSON: The JSON is not valid JSON at line 1, column "
        "1: Expecting value. Set response to text to take the body as it is."
    )
    assert outcome.details == {"status": 200, "body": "<html>"}


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_answer_is_null(body: bytes) -> None:
    outcome, _ = call({}, answer(body, 204))
    assert outcome.output["body"] is None


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("ü".encode(), "text/plain", "ü"),
        ("ü".encode("latin-1"), "text/plain; charset=ISO-8859-1", "ü"),
        (b"\xff\xfe\x00", "application/octet-stream", "\ufffd"),
        ("“".encode("cp1252"), "text/plain", "“"),
    ],
)
def test_text_answers(body: bytes, kind: str, text: str) -> None:
    outcome, _ = call({"response": "text"}, answer(body, headers={"Content-Type": kind}))
    assert outcome.output["body"] == text


def test_a_failure_of_the_port_passes_through() -> None:
    with pytest.raises(Unavailable):
        call({}, Unavailable("api.example.com did not answer in time."))


@pytest.mark.parametrize(
    "url", ["api.example.com/x", "ftp://example.com", "/leads", "javascript:alert(1)", "https://", "https://[::1"]
)
def test_what_is_no_address_is_not_called(url: str) -> None:
    ports = memory_ports(answers=[answer()])
    outcome = run_node("api-integration", {"url": url}, FakeStep(ports=ports))
    assert isinstance(outcome, Failed)
    assert outcome.details["fields"] == {"url": "It must be a whole address that begins with https:// or http://."}
    assert ports.http.calls == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"body_type": "file", "body": {"a": 1}}, "body"),
        ({"body_type": "multipart", "body": "text"}, "body"),
        ({"expect_status": ["2xx"]}, "expect_status"),
    ],
)
def test_what_cannot_be_is_refused_when_saved_and_when_run(config: dict[str, Any], place: str) -> None:
    config = {"url": URL, **config}
    assert [where for where, _ in problems_of("api-integration", config)] == [place]
    ports = memory_ports(answers=[answer()])
    outcome = run_node("api-integration", config, FakeStep(ports=ports))
    assert isinstance(outcome, Failed)
    assert outcome.code == "config"
    assert ports.http.calls == []  # type: ignore[attr-defined]


def test_json_written_as_text_is_noticed_when_saved() -> None:
    assert problems_of("api-integration", {"url": URL, "body": '{"a": "{{ input.a }}"}'})[0][0] == "body"
    assert problems_of("api-integration", {"url": URL, "body": "{{ input }}"}) == []


def test_a_form_is_a_map() -> None:
    outcome = run_node(
        "api-integration", {"url": URL, "method": "POST", "body": "a=1", "body_type": "form"}, FakeStep()
    )
    assert isinstance(outcome, Failed)
    assert outcome.details["fields"]["body"].startswith("A form is a map")


def test_the_output_is_json() -> None:
    outcome, _ = call({}, answer("[1.5]"))
    assert json.loads(json.dumps(outcome.output)) == outcome.output
