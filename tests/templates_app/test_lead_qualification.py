"""The flagship template, run to its end with the real nodes and the offline rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from template_running import Finished, run_entry

from engine.ports import Mail, MailReceipt, Rejected, Unavailable
from engine.testing import Answer, RecordingEmail, ScriptedLlm, completion

MAILED = Path(__file__).parents[1] / "data" / "adf" / "as-mailed.eml"


def _adf(contact: str, comments: str, more: str = "", customer: str = "") -> dict[str, Any]:
    lead = f"<customer><contact>{contact}</contact>{customer}<comments>{comments}</comments></customer>"
    return {"adf": f"<adf><prospect><id>L-1</id>{more}{lead}</prospect></adf>"}


def _lead(finished: Finished) -> dict[str, Any]:
    assert finished.failure is None
    answer: dict[str, Any] = json.loads(finished.result["content"])
    return answer


JANE = '<name part="full">Jane Smith</name><email>jane@example.com</email>'
CRV = "<vehicle><year>2026</year><make>Honda</make><model>CR-V</model></vehicle>"


def test_a_hot_lead_reaches_the_sales_desk_and_the_customer() -> None:
    finished = run_entry("lead-qualification")
    answer = _lead(finished)
    assert (answer["grade"], answer["score"]) == ("hot", 100)
    assert answer["reasons"] == [
        "Phone number given (+15)", "E-mail address given (+10)", "Wants to buy soon (+20)", "Has a trade-in (+15)",
        "Named a budget (+10)", "Intent is hot (+30)",
    ]  # fmt: skip
    assert answer["mails"] == [
        {"mail": "alert_sales", "to": "sales@example.org", "status": "sent"},
        {"mail": "hot_reply", "to": "customer@example.com", "status": "sent"},
    ]
    assert answer["lead"]["phone"] == "+15125550143"
    assert "test drive on Saturday" in answer["summary"]
    alert = finished.to("sales@example.org")
    assert alert.subject == "Hot lead (100/100): Jane Smith, 2026 Honda CR-V EX-L"
    assert alert.text.startswith(answer["summary"])
    reply = finished.to("customer@example.com")
    assert (reply.subject, reply.reply_to) == ("The 2026 Honda CR-V EX-L at Example Motors", "sales@example.org")
    assert reply.text.startswith("Hello Jane,\n\nthank you for asking about the 2026 Honda CR-V EX-L.")
    assert (
        "You mentioned Saturday; we will agree on a time with you. Bring your 2017 Toyota Corolla along" in reply.text
    )
    assert reply.text.endswith("Kind regards,\nExample Motors\n")
    assert sorted(finished.skipped) == ["call_note", "cold_contact", "cold_mail", "warm_contact", "warm_mail"]


def test_a_hot_lead_without_an_address_reaches_the_sales_desk_only() -> None:
    comments = "Ready to buy this week, I want a test drive today. My budget is $40,000."
    contact = '<name part="full">Jo Roe</name><phone>512-555-0178</phone>'
    soon = "<timeframe><latestdate>2026-11-25</latestdate></timeframe>"
    finished = run_entry("lead-qualification", inputs=_adf(contact, comments, CRV, soon))
    answer = _lead(finished)
    assert (answer["grade"], answer["score"]) == ("hot", 75)
    assert [mail["mail"] for mail in answer["mails"]] == ["alert_sales"]
    assert [mail.to for mail in finished.mails] == [["sales@example.org"]]


def test_a_warm_lead_gets_a_follow_up() -> None:
    finished = run_entry(
        "lead-qualification",
        inputs=_adf(JANE, "Is it available? What is the price?", CRV),
        parameters={"warm_score": 20},
    )
    answer = _lead(finished)
    assert (answer["grade"], answer["mails"]) == (
        "warm",
        [{"mail": "warm_mail", "to": "jane@example.com", "status": "sent"}],
    )
    assert finished.to("jane@example.com").subject == "Following up on the 2026 Honda CR-V"


def test_a_warm_lead_without_an_address_is_called() -> None:
    finished = run_entry(
        "lead-qualification", inputs={"adf": MAILED.read_text("cp1252")}, parameters={"warm_score": 15}
    )
    assert _lead(finished)["grade"] == "warm"
    mail = finished.to("sales@example.org")
    assert mail.subject == "Please call John Doe (warm lead, no e-mail address)"
    assert "Phone: 512.555.0178" in mail.text or "Phone: +15125550178" in mail.text


def test_a_cold_lead_gets_a_friendly_note() -> None:
    finished = run_entry("lead-qualification", inputs=_adf(JANE, "Just looking, maybe next year."))
    answer = _lead(finished)
    assert (answer["grade"], answer["score"], answer["reasons"]) == ("cold", 10, ["E-mail address given (+10)"])
    note = finished.to("jane@example.com")
    assert note.subject == "Thank you for looking at Example Motors"
    assert "thank you for looking at our vehicles." in note.text


def test_a_cold_lead_without_an_address_gets_nothing_and_the_run_ends_well() -> None:
    finished = run_entry("lead-qualification", inputs=_adf('<name part="full">Jo</name>', "Just browsing."))
    assert (_lead(finished)["grade"], _lead(finished)["mails"], finished.mails) == ("cold", [], [])


def test_without_an_ai_the_lead_is_scored_from_its_facts() -> None:
    away = ScriptedLlm([Unavailable("The model is overloaded.")] * 3)
    finished = run_entry("lead-qualification", llm=away)
    answer = _lead(finished)
    assert (answer["grade"], answer["score"]) == ("hot", 85)
    assert answer["reasons"][-1] == "Intent is warm (+15)"
    assert answer["summary"].startswith("Is it still available?")


def test_a_models_own_answers_are_used() -> None:
    said: list[Answer] = [
        completion("cold", {"label": "cold", "confidence": 0.9}),
        completion("{}", {"budget": None, "visit_day": None}),
        "Jane asks about nothing in particular.",
    ]
    answer = _lead(run_entry("lead-qualification", inputs=_adf(JANE, "Hello"), llm=ScriptedLlm(said)))
    assert (answer["grade"], answer["score"], answer["summary"]) == (
        "cold",
        10,
        "Jane asks about nothing in particular.",
    )


@pytest.mark.parametrize("latest", ["2026-02-31", "soon", "2026-11-01"])
def test_a_date_that_cannot_be_read_loses_no_lead(latest: str) -> None:
    timeframe = f"<timeframe><latestdate>{latest}</latestdate></timeframe>"
    answer = _lead(run_entry("lead-qualification", inputs=_adf(JANE, "Hello", "", timeframe)))
    assert ("Wants to buy soon (+20)" in answer["reasons"]) is (latest == "2026-11-01")


class _OwnAddressesOnly(RecordingEmail):
    def send(self, mail: Mail, *, timeout: float) -> MailReceipt:
        if mail.to != ["sales@example.org"]:
            raise Rejected("No such mailbox.")
        return RecordingEmail.send(self, mail, timeout=timeout)


def test_a_refused_reply_to_the_customer_does_not_undo_the_alert() -> None:
    finished = run_entry("lead-qualification", email=_OwnAddressesOnly())
    assert _lead(finished)["mails"] == [
        {"mail": "alert_sales", "to": "sales@example.org", "status": "sent"},
        {"mail": "hot_reply", "to": "customer@example.com", "status": "failed"},
    ]


def test_a_message_without_a_lead_fails_and_says_what_is_missing() -> None:
    finished = run_entry("lead-qualification", inputs={"adf": "Hello, is anybody there?"})
    assert finished.failure is not None
    assert finished.failure.message.startswith("No ADF lead was found")
    assert finished.mails == []
