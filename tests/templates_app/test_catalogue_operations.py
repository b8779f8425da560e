"""The catalogue's templates for service, finance and operations.

Each is run to its end with the real nodes and the offline rules; NOW is 20 November 2026.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from template_running import result_of, run_entry, sent_by

from engine.ports import Unavailable
from engine.testing import ScriptedLlm, answer

# service-reminder


def test_a_service_reminder_is_mailed() -> None:
    finished = run_entry("service-reminder")
    assert result_of(finished)["action"] == "mail"
    mail = finished.to("maria@example.com")
    assert (mail.subject, mail.reply_to) == ("A service is due for your 2021 Toyota RAV4", "service@example.org")
    assert "for your 2021 Toyota RAV4 by December 4, 2026." in mail.text


@pytest.mark.parametrize(
    ("inputs", "action", "sent"),
    [
        (
            {"customer_email": None},
            "call",
            [("service@example.org", "Please call Maria Lopez: service due December 4, 2026")],
        ),
        ({"due_date": "2027-03-01"}, "too_early", []),
        (
            {"due_date": "2026-11-01", "customer_email": ""},
            "call",
            [("service@example.org", "Please call Maria Lopez: service due November 1, 2026")],
        ),
    ],
)
def test_a_service_reminder_goes_where_it_can(inputs: dict[str, Any], action: str, sent: list[tuple[str, str]]) -> None:
    finished = run_entry("service-reminder", inputs=inputs)
    assert (result_of(finished)["action"], sent_by(finished)) == (action, sent)


# inventory-sync


def _feed(*vehicles: tuple[str, Any]) -> list[Any]:
    return [answer(json.dumps([{"stock": stock, "price": price} for stock, price in vehicles]))]


def test_inventory_differences_are_mailed() -> None:
    answers = _feed(("H2604", 36450), ("T1190", "$27,900"), ("N0001", 19999.5))
    finished = run_entry("inventory-sync", answers=answers)
    assert result_of(finished) == {
        "differences": {
            "added": [{"stock": "N0001", "price": 19999.5}],
            "gone": [{"stock": "F0931", "price": 41200.0}],
            "repriced": [{"stock": "T1190", "price": 27900.0}],
            "compared": 3,
        },
        "mailed": True,
    }
    assert sent_by(finished) == [("inventory@example.org", "Inventory: 1 new, 1 gone, 1 repriced")]
    assert "+ N0001 at 19999.50\n\nGone:\n- F0931\n\nOther price now:\n* T1190 at 27900.00" in finished.mails[0].text
    (call,) = finished.http.calls
    assert (call.method, call.url) == ("GET", "https://feed.example.com/vehicles.json")


def test_the_same_inventory_is_not_mailed() -> None:
    finished = run_entry("inventory-sync", answers=_feed(("H2604", 36450), ("T1190", 28900), ("F0931", 41200)))
    assert (result_of(finished)["mailed"], finished.mails) == (False, [])


def test_a_dealers_whole_inventory_is_compared() -> None:
    stock = [(f"S{number}", 20000 + number) for number in range(600)]
    listed = "stock,price\n" + "".join(f"{name},{price}\n" for name, price in stock[100:])
    finished = run_entry("inventory-sync", inputs={"listed_csv": listed}, answers=_feed(*stock))
    assert len(result_of(finished)["differences"]["added"]) == 100


def test_a_feed_that_is_away_fails_the_run_without_a_mail() -> None:
    finished = run_entry("inventory-sync", answers=[answer("", status=503)])
    assert finished.failure is not None
    assert (finished.failure.code, finished.mails) == ("unavailable", [])


# appointment-confirmation

DESK = ("desk@example.org", "test drive for Jane Smith: Tuesday, November 24 at 14:30")


@pytest.mark.parametrize(
    ("inputs", "result", "sent"),
    [
        ({}, (True, True), [DESK, ("jane@example.com", "Your appointment on Tuesday, November 24")]),
        ({"customer_email": None}, (True, False), [DESK]),
        (
            {"date": "2026-11-19"},
            (False, False),
            [("desk@example.org", "Not confirmed: Jane Smith's appointment lies in the past")],
        ),
        (
            {"date": "2026-11-20", "customer_email": None, "time": "2:30 pm"},
            (True, False),
            [("desk@example.org", "test drive for Jane Smith: Friday, November 20 at 2:30 pm")],
        ),
    ],
)
def test_an_appointment_is_confirmed(inputs: dict[str, Any], result: tuple[bool, bool], sent: list[Any]) -> None:
    finished = run_entry("appointment-confirmation", inputs=inputs)
    assert (result_of(finished)["accepted"], result_of(finished)["confirmed"]) == result
    assert sent_by(finished) == sent


def test_an_appointment_at_no_time_is_refused() -> None:
    finished = run_entry("appointment-confirmation", inputs={"time": "25:00"})
    assert finished.failure is not None
    assert finished.failure.message == "Time must be a time such as 14:30 or 2:30 pm."


# invoice-triage


def _invoice(total: str, due: str) -> dict[str, str]:
    return {"invoice_text": f"Vendor: Lone Star Parts\nInvoice number: INV-7\n{due}\nTotal amount: {total}\n"}


@pytest.mark.parametrize(
    ("inputs", "decision", "sent"),
    [
        ({}, "approval", [("controller@example.org", "Please decide: Lone Star Parts, 2480")]),
        (
            _invoice("$99.50", "Due date: 2026-11-24"),
            "urgent",
            [("accounts@example.org", "Due in 3 days: Lone Star Parts, 99.5")],
        ),
        (
            _invoice("$99.50", "Due date: 2026-12-24"),
            "routine",
            [("accounts@example.org", "Invoice INV-7 from Lone Star Parts")],
        ),
        (
            {"invoice_text": "Please pay soon."},
            "incomplete",
            [("accounts@example.org", "Invoice to check: vendor, number, total, due date not found")],
        ),
    ],
)
def test_an_invoice_goes_to_who_must_see_it(inputs: dict[str, str], decision: str, sent: list[Any]) -> None:
    finished = run_entry("invoice-triage", inputs=inputs)
    assert (result_of(finished)["decision"], sent_by(finished)) == (decision, sent)


def test_an_invoice_is_checked_by_people_when_no_ai_answers() -> None:
    finished = run_entry("invoice-triage", llm=ScriptedLlm([Unavailable("Overloaded.")]))
    assert result_of(finished)["decision"] == "incomplete"
    assert "INV-20931" in finished.to("accounts@example.org").text


# support-routing


@pytest.mark.parametrize(
    ("inputs", "topic", "sent"),
    [
        (
            {},
            "service",
            [("sam@example.com", "We have your message"), ("service@example.org", "[Urgent] Car won't start")],
        ),
        (
            {
                "subject": "CR-V",
                "message": "I want to buy a CR-V. What is the price, and can I take a test drive?",
                "email": "no",
            },
            "sales",
            [("sales@example.org", "CR-V")],
        ),
        (
            {"subject": "Bad", "message": "Your manager was rude. This is unacceptable, a complaint!", "email": ""},
            "complaint",
            [("manager@example.org", "Bad")],
        ),
        (
            {"subject": "a\r\nBcc: x@example.com", "message": "Lorem ipsum.", "email": 5},
            "front_desk",
            [("desk@example.org", "a  Bcc: x@example.com")],
        ),
    ],
)
def test_a_message_is_routed(inputs: dict[str, Any], topic: str, sent: list[Any]) -> None:
    finished = run_entry("support-routing", inputs=inputs)
    assert (result_of(finished)["topic"], sent_by(finished)) == (topic, sent)


def test_an_empty_message_reaches_the_front_desk() -> None:
    empty = dict.fromkeys(("name", "email", "subject", "message"))
    finished = run_entry("support-routing", inputs=empty, llm=ScriptedLlm([Unavailable("Overloaded.")] * 2))
    assert (result_of(finished)["topic"], sent_by(finished)) == (
        "front_desk",
        [("desk@example.org", "Message from the website")],
    )


# daily-report

DEALS = [
    {"salesperson": "Kim", "vehicle": "Ford F-150", "amount": 41200},
    {"salesperson": "Lee", "vehicle": "Honda CR-V", "amount": 36450},
    {"salesperson": "Kim", "vehicle": "Mazda 3 & more", "amount": "22000.50"},
]


def test_a_days_deals_are_reported() -> None:
    finished = run_entry("daily-report", answers=[answer(json.dumps(DEALS))])
    assert result_of(finished)["totals"] == {
        "date": "2026-11-19",
        "count": 3,
        "revenue": 99650.5,
        "by_salesperson": [
            {"name": "Kim", "deals": 2, "revenue": 63200.5},
            {"name": "Lee", "deals": 1, "revenue": 36450.0},
        ],
    }
    mail = finished.to("manager@example.org")
    assert mail.subject == "Sales on 2026-11-19: 3 deals, 99650.50"
    assert "Kim sold a Mazda 3 & more for 22000.50 dollars." in mail.text
    assert "Kim: 2 for 63200.50\nLee: 1 for 36450.00" in mail.text
    assert finished.http.calls[0].query == {"date": "2026-11-19"}


def test_a_day_without_deals_is_told_and_today_is_the_day_unless_said_otherwise() -> None:
    finished = run_entry("daily-report", inputs={"date": None}, answers=[answer("[]")])
    assert sent_by(finished) == [("manager@example.org", "No deals on 2026-11-20")]
