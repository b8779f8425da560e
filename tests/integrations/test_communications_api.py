"""`/api/communications`: what is taken, that it is sent once whatever dies, and what can be read about it afterwards."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer

from integrations.dispatch import MAX_ATTEMPTS, dispatch_due
from integrations.models import MessageTemplate, OutgoingMessage, StoredSms
from tests.api.people import Api, Person, refusal
from tests.api.shapes import PAGE, wrong

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL, SMS, SENT = "/api/communications/email", "/api/communications/sms", "/api/communications/messages"
MAIL: dict[str, Any] = {
    "provider": "console",
    "to": ["customer@example.com"],
    "from": "sales@example.com",
    "subject": "Your visit",
    "content": {"text": "Thank you."},
}
TEXT: dict[str, Any] = {"provider": "console", "to": "+15550100", "from": "+15550199", "message": "See you at 10."}
MESSAGES = "/2010-04-01/Accounts/AC1/Messages.json"
LONG_AGO = timezone.now().replace(year=2000)


@pytest.fixture(autouse=True)
def outbox(settings: Any, tmp_path: Path) -> Path:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    folder: Path = settings.OUTBOX_DIR
    return folder


@pytest.fixture
def twilio(settings: Any, ann: Person) -> Iterator[HTTPServer]:
    """A server that is Twilio, and ann's connection to it."""
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with HTTPServer(host="127.0.0.1") as running:
        ann.api.made("/api/integrations/connections", {
            "name": "Twilio", "type": "twilio",
            "config": {"from": "+15125550100", "api_url": running.url_for("").rstrip("/")},
            "credentials": {"account_sid": "AC1", "auth_token": "token-marker"},
        })  # fmt: skip
        yield running


def all_due() -> None:
    OutgoingMessage.unscoped.filter(due_at__isnull=False).update(due_at=LONG_AGO)


def state(api: Api, message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"{SENT}/{message['message_id']}").json()
    return found


def files(outbox: Path) -> list[Any]:
    return [message_from_bytes(each.read_bytes()) for each in outbox.glob("*.eml")] if outbox.exists() else []


def test_a_mail_is_taken_at_once_sent_by_a_worker_and_told_about(member: Person, outbox: Path) -> None:
    attached = {
        "filename": "a.pdf",
        "content_type": "application/pdf",
        "content_base64": base64.b64encode(b"%PDF").decode(),
    }
    body = {**MAIL, "cc": ["Jane <jane@example.com>"], "bcc": ["boss@example.com"], "attachments": [attached]}
    body["content"] = {"text": "Thank you.", "html": "<p>Thank you.</p>"}
    answer = member.api.post(EMAIL, body)
    assert answer.status_code == 202
    taken = answer.json()
    kinds = {
        "message_id": "uuid",
        "status": "enum(sent|queued|failed)",
        "provider_response": "any",
        "timestamp": "datetime",
    }
    assert wrong(taken, kinds) == []
    assert (taken["status"], taken["provider_response"], files(outbox)) == ("queued", {}, [])
    assert dispatch_due()
    assert not dispatch_due()
    (mail,) = files(outbox)
    assert (mail["To"], mail["Cc"], mail["From"], mail["Subject"]) == (
        "customer@example.com", "Jane <jane@example.com>", "sales@example.com", "Your visit",
    )  # fmt: skip
    assert [part.get_content_type() for part in mail.walk()][-1] == "application/pdf"
    found = state(member.api, taken)
    assert (found["status"], found["settled"], found["attempts"], found["error_message"]) == ("sent", True, 1, None)
    assert found["provider_response"] == {"provider": "outbox", "message_id": mail["Message-ID"], "status": "sent"}
    assert found["content"]["attachments"] == [{"filename": "a.pdf", "content_type": "application/pdf"}]
    assert base64.b64encode(b"%PDF").decode() not in str(OutgoingMessage.unscoped.get().__dict__)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"provider": "pigeon"}, "provider"),
        ({"to": []}, "to"),
        ({"to": ["nobody"]}, "to.0"),
        ({"to": ["a@example.com\r\nBcc: x@example.com"]}, "to.0"),
        ({"to": ["a@example.com, b@example.com"]}, "to.0"),
        ({"to": [f"a{n}@example.com" for n in range(51)]}, "50 recipients"),
        ({"cc": ["x"]}, "cc.0"),
        ({"bcc": ["x"]}, "bcc.0"),
        ({"from": "sales"}, "from"),
        ({"from": "sales@example.com\nX: y"}, "from"),
        ({"subject": "Hi\r\nBcc: x@example.com"}, "subject"),
        ({"subject": "x" * 501}, "subject"),
        ({"content": {}}, "content"),
        ({"content": {"text": "  "}}, "content"),
        ({"template_id": "no-such-message", "content": {}}, "template_id"),
        (
            {"attachments": [{"filename": "a\r\nb", "content_type": "a/b", "content_base64": ""}]},
            "attachments.0.filename",
        ),
        (
            {"attachments": [{"filename": "a", "content_type": "a/b\r\n", "content_base64": ""}]},
            "attachments.0.content_type",
        ),
        (
            {"attachments": [{"filename": "a", "content_type": "a/b", "content_base64": "*"}]},
            "attachments.0.content_base64",
        ),
        ({"attachments": [{"filename": "a", "content_type": "a/b", "content_base64": "A" * 4_200_000}]}, "attachments"),
        ({"connection_id": "018f0000-0000-7000-8000-000000000000", "provider": "smtp"}, "connection_id"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused_by_its_field(ann: Person, change: dict[str, Any], name: str) -> None:
    answer = ann.api.post(EMAIL, {**MAIL, **change})
    assert name in str(refusal(answer, 400, answer.json()["error"]["code"])["details"])
    assert ann.api.post(EMAIL, {**MAIL, **change}, API_Version="2025-08-08").status_code == 422
    assert OutgoingMessage.unscoped.count() == 0


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"to": "15550100"}, "to"),
        ({"to": "+1 555 0100"}, "to"),
        ({"to": "+0555010012"}, "to"),
        ({"to": "+1234567890123456"}, "to"),
        ({"to": "+15550100\n"}, "to"),
        ({"from": "A name that is too long"}, "from"),
        ({"from": ""}, "from"),
        ({"message": " "}, "message"),
        ({"message": "x" * 1601}, "message"),
        ({"media_urls": ["http://example.com/a.png"]}, "media_urls.0"),
        ({"provider": "sendgrid"}, "provider"),
    ],
)
def test_a_text_message_that_cannot_be_sent_is_refused(ann: Person, change: dict[str, Any], name: str) -> None:
    answer = ann.api.post(SMS, {**TEXT, **change})
    assert name in str(refusal(answer, 400, "VAL_001")["details"])
    assert OutgoingMessage.unscoped.count() == 0


@pytest.mark.parametrize(
    ("path", "body", "provider"),
    [(EMAIL, MAIL, each) for each in ("sendgrid", "aws_ses", "mailgun", "smtp")]
    + [(SMS, TEXT, each) for each in ("twilio", "aws_sns", "messagebird")],
)
def test_a_provider_that_nobody_set_up_is_503(ann: Person, path: str, body: dict[str, Any], provider: str) -> None:
    error = refusal(ann.api.post(path, {**body, "provider": provider}), 503, "SYS_002")
    assert error["details"]["provider"] == provider
    assert "not configured" in error["message"]
    assert OutgoingMessage.unscoped.count() == 0


def test_a_stored_message_is_filled_in_when_it_is_taken(ann: Person, otto: Person, outbox: Path) -> None:
    MessageTemplate.unscoped.create(
        organization_id=ann.actor.organization_id, name="visit", subject="Hello {{ name }}", text="Dear {{ name }}",
        html="<b>{{ name }}</b>",
    )  # fmt: skip
    body = {**MAIL, "subject": "", "content": {}, "template_id": "visit", "template_data": {"name": "<Jane>"}}
    ann.api.made(EMAIL, body)
    dispatch_due()
    (mail,) = files(outbox)
    text, html = (part.get_payload(decode=True).decode().strip() for part in mail.walk() if not part.is_multipart())
    assert (mail["Subject"], text, html) == ("Hello <Jane>", "Dear <Jane>", "<b>&lt;Jane&gt;</b>")
    broken = refusal(ann.api.post(EMAIL, {**body, "template_data": {"name": "a\r\nBcc: b@c.de"}}), 400, "VAL_001")
    assert broken["details"]["field"] == "subject"
    assert (
        refusal(ann.api.post(EMAIL, {**body, "template_data": {}}), 400, "VAL_001")["details"]["field"]
        == "template_data"
    )
    refusal(otto.api.post(EMAIL, body), 400, "VAL_001")


def test_a_text_message_goes_through_the_organizations_own_connection(
    ann: Person, otto: Person, twilio: HTTPServer
) -> None:
    twilio.expect_oneshot_request(MESSAGES, method="POST").respond_with_json(
        {"sid": "SM1", "status": "sent", "price": "-0.0075", "price_unit": "USD"}, status=201
    )
    taken = ann.api.made(SMS, {**TEXT, "provider": "twilio", "media_urls": ["https://example.com/a.png"]})
    assert taken["cost"] is None
    assert dispatch_due()
    (request, _) = twilio.log[0]
    assert parse_qs(request.get_data(as_text=True)) == {
        "To": ["+15550100"], "From": ["+15550199"], "Body": ["See you at 10."], "MediaUrl": ["https://example.com/a.png"],
    }  # fmt: skip
    found = state(ann.api, taken)
    assert (found["status"], found["cost"], found["currency"], found["provider_message_id"]) == (
        "sent",
        0.0075,
        "USD",
        "SM1",
    )
    assert "token-marker" not in str(found)
    refusal(otto.api.post(SMS, {**TEXT, "provider": "twilio"}), 503, "SYS_002")


def test_a_provider_that_is_down_is_tried_again_and_at_last_given_up(ann: Person, twilio: HTTPServer) -> None:
    twilio.expect_request(MESSAGES).respond_with_json({"code": 20429}, status=429)
    taken = ann.api.made(SMS, {**TEXT, "provider": "twilio"})
    for attempt in range(1, MAX_ATTEMPTS):
        assert dispatch_due()
        assert not dispatch_due()  # It waits for its time.
        found = state(ann.api, taken)
        assert (found["status"], found["attempts"], found["settled"]) == ("queued", attempt, False)
        all_due()
    assert dispatch_due()
    assert not dispatch_due()
    found = state(ann.api, taken)
    assert (found["status"], found["settled"], found["attempts"]) == ("failed", True, MAX_ATTEMPTS)
    assert "429" in found["error_message"]


def test_a_message_the_provider_refuses_fails_for_good(ann: Person, twilio: HTTPServer) -> None:
    twilio.expect_request(MESSAGES).respond_with_json({"code": 21211, "message": "Invalid number"}, status=400)
    taken = ann.api.made(SMS, {**TEXT, "provider": "twilio"})
    assert dispatch_due()
    found = state(ann.api, taken)
    assert (found["status"], found["settled"], len(twilio.log)) == ("failed", True, 1)
    assert found["provider_response"]["code"] == "rejected"


@pytest.mark.parametrize("known", [True, False])
def test_a_lost_answer_is_looked_up_before_anything_is_repeated(ann: Person, twilio: HTTPServer, known: bool) -> None:
    twilio.expect_oneshot_request(MESSAGES, method="POST").respond_with_data("", status=502)
    taken = ann.api.made(SMS, {**TEXT, "provider": "twilio"})
    assert dispatch_due()
    assert state(ann.api, taken)["status"] == "queued"
    there = {
        "sid": "SM7", "status": "sent", "to": "+15550100", "from": "+15550199", "body": "See you at 10.",
        "date_created": timezone.now().strftime("%a, %d %b %Y %H:%M:%S +0000"),
    }  # fmt: skip
    twilio.expect_request(MESSAGES, method="GET").respond_with_json({"messages": [there] if known else []})
    twilio.expect_request(MESSAGES, method="POST").respond_with_json({"sid": "SM8", "status": "sent"}, status=201)
    all_due()
    assert dispatch_due()
    assert state(ann.api, taken)["provider_message_id"] == ("SM7" if known else "SM8")
    assert Counter(request.method for request, _ in twilio.log)["POST"] == (1 if known else 2)


def test_what_a_dead_worker_had_begun_is_sent_once(ann: Person, outbox: Path) -> None:
    """It died after the mail was in the folder and before that was recorded; then before it was."""
    taken = ann.api.made(EMAIL, MAIL)
    dispatch_due()
    OutgoingMessage.unscoped.update(
        status="queued", due_at=LONG_AGO, in_doubt=True, settled_at=None, provider_response=None
    )
    assert dispatch_due()
    assert (len(files(outbox)), state(ann.api, taken)["status"]) == (1, "sent")
    unsent = ann.api.made(EMAIL, MAIL)
    OutgoingMessage.unscoped.filter(id=unsent["message_id"]).update(due_at=LONG_AGO, in_doubt=True, attempts=1)
    assert dispatch_due()
    assert (len(files(outbox)), state(ann.api, unsent)["status"]) == (2, "sent")


def test_a_message_that_kills_its_workers_is_given_up(ann: Person, outbox: Path) -> None:
    taken = ann.api.made(EMAIL, MAIL)
    OutgoingMessage.unscoped.update(due_at=LONG_AGO, in_doubt=True, attempts=MAX_ATTEMPTS)
    assert dispatch_due()
    assert (files(outbox), state(ann.api, taken)["status"]) == ([], "failed")


def test_four_workers_at_once_send_every_message_once(ann: Person) -> None:
    for number in range(12):
        ann.api.made(SMS, {**TEXT, "message": f"Number {number}"})

    def work(_: int) -> int:
        try:
            return sum(1 for _ in iter(dispatch_due, False))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(work, range(4))) == 12
    assert Counter(StoredSms.unscoped.values_list("text", flat=True)) == {f"Number {n}": 1 for n in range(12)}
    assert set(OutgoingMessage.unscoped.values_list("attempts", "due_at")) == {(1, None)}


def test_a_worker_of_the_product_sends_it(ann: Person, worker: None, outbox: Path) -> None:
    taken = ann.api.made(EMAIL, MAIL)
    until = time.monotonic() + 20
    while not state(ann.api, taken)["settled"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    sent = [mail["To"] for mail in files(outbox)]  # the worker may also have sent ann's own letter by now
    assert (state(ann.api, taken)["status"], sent.count("customer@example.com")) == ("sent", 1)


def test_a_repeated_request_with_one_key_is_one_message(ann: Person) -> None:
    def one(_: int) -> tuple[int, str]:
        try:
            answer = Api(ann.api.token).post(EMAIL, MAIL, Idempotency_Key="k")
            return answer.status_code, answer.json()["message_id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        answers = set(threads.map(one, range(6)))
    assert answers == {(202, str(OutgoingMessage.unscoped.get().id))}
    refusal(ann.api.post(EMAIL, {**MAIL, "subject": "x"}, Idempotency_Key="k"), 409, "RES_002")


def test_messages_are_listed_to_their_organization(ann: Person, member: Person, otto: Person, viewer: Person) -> None:
    mail, sms = ann.api.made(EMAIL, MAIL), member.api.made(SMS, TEXT)
    dispatch_due()
    body = ann.api.get(SENT).json()
    assert (
        wrong(body, {**PAGE, "messages": [{"id": "uuid", "channel": "enum(email|sms)", "created_at": "datetime"}]})
        == []
    )
    assert [each["id"] for each in body["messages"]] == [sms["message_id"], mail["message_id"]]
    assert "content" not in body["messages"][0]
    assert [each["channel"] for each in member.api.get(f"{SENT}?channel=sms").json()["messages"]] == ["sms"]
    assert [each["id"] for each in ann.api.get(f"{SENT}?status=sent").json()["messages"]] == [mail["message_id"]]
    refusal(ann.api.get(f"{SENT}?status=lost"), 400, "VAL_001")
    assert otto.api.get(SENT).json()["total"] == 0
    refusal(otto.api.get(f"{SENT}/{mail['message_id']}"), 404, "RES_001")
    for method, path, given in (("POST", EMAIL, MAIL), ("POST", SMS, TEXT), ("GET", SENT, {}),
                                ("GET", f"{SENT}/{mail['message_id']}", {})):  # fmt: skip
        refusal(viewer.api.call(method, path, given), 403, "AUTH_003")
