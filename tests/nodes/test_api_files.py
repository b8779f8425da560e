"""`api-integration` with stored files: an answer that is kept, and files that are sent."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import HTTP
from typing import Any

import pytest

from engine.house_ports import StoredFile
from engine.node import Done
from engine.ports import HttpCall, Rejected
from engine.testing import FakeStep, MemoryFiles, ScriptedHttp, answer, memory_ports, run_node

URL = "https://api.example.com/reports/2026.pdf?token=secret"
PDF = StoredFile("f-1", 'Of"fer\r\n.pdf', "application/pdf", b"%PDF-1.7\r\n--\x00")


def called(config: dict[str, Any], headers: dict[str, str] | None = None) -> tuple[Any, HttpCall, MemoryFiles]:
    ports = memory_ports(answers=[answer(b"%PDF-1.7 \xff", headers=headers)], files=[PDF])
    outcome = run_node("api-integration", {"url": URL, **config}, FakeStep(ports=ports))
    assert isinstance(ports.http, ScriptedHttp)
    assert isinstance(ports.files, MemoryFiles)
    return outcome, ports.http.calls[0], ports.files


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename=report.pdf", "report.pdf"),
        ('attachment; filename="../../etc/pass\\"wd"', "pass_wd"),
        ("attachment; filename=\"a.pdf\"; filename*=UTF-8''%C3%9Cbersicht%20M%C3%A4rz.pdf", "Übersicht März.pdf"),
        ("attachment; filename*=UTF-8''..%2F..%2Fx%0D%0Ay.pdf", "x_y.pdf"),
        ("attachment; filename*=nonsense''%ff", "ÿ"),
        ("inline", "2026.pdf"),
        ("", "2026.pdf"),
    ],
)
def test_an_answer_is_kept_under_a_harmless_name(disposition: str, name: str) -> None:
    outcome, _, files = called(
        {"response": "file"}, {"Content-Type": "application/pdf; x=y", "Content-Disposition": disposition}
    )
    assert isinstance(outcome, Done)
    body = {"file": "file-1", "name": name, "media_type": "application/pdf", "size": 10}
    assert (outcome.output["status"], outcome.output["body"]) == (200, body)
    assert files.files["file-1"] == StoredFile("file-1", name, "application/pdf", b"%PDF-1.7 \xff")
    assert files.keys == {"execution/node/0/answer": "file-1"}


def test_a_name_is_made_up_where_nobody_gives_one() -> None:
    outcome, _, _ = called({"response": "file", "url": "https://a.example/"}, {"Content-Type": "text/csv"})
    assert outcome.output["body"]["name"] == "answer.csv"


def test_an_unexpected_answer_is_not_kept() -> None:
    ports = memory_ports(answers=[answer(b"no", status=500)])
    outcome = run_node("api-integration", {"url": URL, "response": "file"}, FakeStep(ports=ports))
    assert getattr(outcome, "code", "") == "unavailable"
    assert ports.files.files == {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", ["f-1", {"artefact": "f-1", "items": []}])
def test_a_stored_file_is_sent_as_it_is(given: Any) -> None:
    _, sent, _ = called({"method": "PUT", "body_type": "file", "body": given, "response": "text"})
    assert (sent.body, sent.headers) == (PDF.content, {"Content-Type": "application/pdf"})
    own = {"method": "PUT", "body_type": "file", "body": given, "response": "text", "headers": {"content-type": "a/b"}}
    assert called(own)[1].headers == {"content-type": "a/b"}


def test_files_and_values_are_sent_as_parts() -> None:
    config = {
        "method": "POST",
        "response": "text",
        "body_type": "multipart",
        "headers": {"content-type": "text/plain", "X-A": "b"},
        "body": {'na"me': "Jané", "file": {"file": "f-1"}, "tag": ["a", 2], "none": None},
    }
    _, sent, _ = called(config)
    read = message_from_bytes(
        b"Content-Type: %s\r\n\r\n%s" % (sent.headers["Content-Type"].encode(), sent.body), policy=HTTP
    )
    parts = [
        (
            each.get_param("name", header="content-disposition"),
            each.get_filename(),
            each.get("Content-Type"),
            each.get_payload(decode=True),
        )
        for each in read.get_payload()  # type: ignore[union-attr]
    ]
    assert parts == [
        ("na%22me", None, None, "Jané".encode()),
        ("file", "Of_fer_.pdf", "application/pdf", PDF.content),
        ("tag", None, None, b"a"),
        ("tag", None, None, b"2"),
    ]
    assert set(sent.headers) == {"X-A", "Content-Type"}
    assert called(config)[1] == sent


@pytest.mark.parametrize(("kind", "body"), [("file", "f-9"), ("multipart", {"a": {"file": "f-9"}})])
def test_a_file_that_is_not_there_makes_no_call(kind: str, body: Any) -> None:
    ports = memory_ports(answers=[answer("{}")])
    config = {"url": URL, "method": "POST", "body_type": kind, "body": body}
    with pytest.raises(Rejected, match="There is no file of the id 'f-9'"):
        run_node("api-integration", config, FakeStep(ports=ports))
    assert ports.http.calls == []  # type: ignore[attr-defined]
