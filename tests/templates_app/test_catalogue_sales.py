"""The catalogue's templates for sales and marketing (lead qualification has a file of its own).

Each is run to its end with the real nodes and the offline rules; NOW is 20 November 2026.
"""

from __future__ import annotations

from typing import Any

import pytest
from template_running import result_of, run_entry, sent_by

from engine.ports import Unavailable
from engine.testing import ScriptedLlm

# deal-follow-up


@pytest.mark.parametrize(
    ("inputs", "action", "sent"),
    [
        (
            {},
            "follow_up",
            [
                ("john@example.com", "Following up on the 2024 Ford F-150"),
                ("kim@example.org", "John Doe: 5 days without contact"),
            ],
        ),
        ({"customer_email": None}, "follow_up", [("kim@example.org", "John Doe: 5 days without contact")]),
        ({"last_contact": "2026-11-19"}, "wait", []),
        ({"stage": "won", "last_contact": "2026-01-01"}, "closed", []),
        (
            {"last_contact": "2026-11-01", "notes": None},
            "escalate",
            [("manager@example.org", "Quiet for 19 days: John Doe, 2024 Ford F-150")],
        ),
    ],
)
def test_a_deal_is_followed_up(inputs: dict[str, Any], action: str, sent: list[tuple[str, str]]) -> None:
    finished = run_entry("deal-follow-up", inputs=inputs)
    assert (result_of(finished)["action"], sent_by(finished)) == (action, sent)


def test_a_quiet_deal_reaches_the_manager_even_without_an_ai() -> None:
    away = ScriptedLlm([Unavailable("The model is overloaded.")])
    finished = run_entry("deal-follow-up", inputs={"last_contact": "2026-11-01"}, llm=away)
    mail = finished.to("manager@example.org")
    assert mail.cc == ["kim@example.org"]
    assert "Quoted 41,200. Wants to talk to his wife." in mail.text


# discount-approval


@pytest.mark.parametrize(
    ("inputs", "decides", "sent"),
    [
        ({"offered_price": 41000}, "approved", [("kim@example.org", "Approved: 2.4% off the 2024 Ford F-150")]),
        ({}, "manager", [("manager@example.org", "Please decide: 5% off the 2024 Ford F-150 for John Doe")]),
        (
            {"offered_price": 38000.5, "cost": None},
            "director",
            [("director@example.org", "Please decide: 9.5% off the 2024 Ford F-150 for John Doe")],
        ),
        (
            {"offered_price": 41000, "cost": 41500},
            "director",
            [("director@example.org", "Please decide: 2.4% off the 2024 Ford F-150 for John Doe")],
        ),
    ],
)
def test_a_discount_goes_to_who_may_decide(inputs: dict[str, Any], decides: str, sent: list[Any]) -> None:
    finished = run_entry("discount-approval", inputs=inputs)
    assert (result_of(finished)["decides"], sent_by(finished)) == (decides, sent)


def test_a_decision_request_has_the_facts_and_is_answered_to_the_salesperson() -> None:
    mail = run_entry("discount-approval").to("manager@example.org")
    assert (mail.reply_to, mail.cc) == ("kim@example.org", ["kim@example.org"])
    assert "Discount: 2100 (5 percent)\nMargin left: 2400\n" in mail.text
    assert mail.text.startswith("This discount is over 3 percent. Please answer this mail with yes or no;")


# trade-in-appraisal-request


@pytest.mark.parametrize(
    ("inputs", "missing", "sent"),
    [
        (
            {},
            [],
            [
                ("appraisals@example.org", "Please appraise: 2017 Toyota Corolla, 81200 miles, good"),
                ("jane@example.com", "Your 2017 Toyota Corolla"),
            ],
        ),
        (
            {"customer_email": None},
            [],
            [("appraisals@example.org", "Please appraise: 2017 Toyota Corolla, 81200 miles, good")],
        ),
        ({"mileage": None, "year": None}, ["year", "mileage"], [("jane@example.com", "A few details about your car")]),
        (
            {"condition": None, "customer_email": None},
            ["condition"],
            [("appraisals@example.org", "Please call Jane Smith: condition missing")],
        ),
    ],
)
def test_an_appraisal_is_asked_for(inputs: dict[str, Any], missing: list[str], sent: list[Any]) -> None:
    finished = run_entry("trade-in-appraisal-request", inputs=inputs)
    assert (result_of(finished)["missing"], sent_by(finished)) == (missing, sent)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://book.example.com/a?b={{ 1 }}", "here: https://book.example.com/a?b={{ 1 }}\n"),
        (None, "Reply to this message with a time that suits you for the inspection.\n"),
    ],
)
def test_an_optional_parameter_may_be_left_out(url: str | None, told: str) -> None:
    finished = run_entry("trade-in-appraisal-request", parameters={"booking_url": url})
    assert told in finished.to("jane@example.com").text


# lost-lead-win-back


@pytest.mark.parametrize(
    ("inputs", "eligible", "wrote", "sent"),
    [
        ({}, "write", "offer", [("john@example.com", "A better way to the 2024 Ford F-150")]),
        ({"reason": None}, "write", "follow_up", [("john@example.com", "Following up on the 2024 Ford F-150")]),
        ({"reason": "He bought elsewhere."}, "write", "leave", []),
        ({"unsubscribed": True}, "never", "nothing", []),
        ({"customer_email": None}, "never", "nothing", []),
        ({"lost_on": "2026-11-10"}, "too_early", "nothing", []),
    ],
)
def test_a_lost_lead_is_won_back(inputs: dict[str, Any], eligible: str, wrote: str, sent: list[Any]) -> None:
    finished = run_entry("lost-lead-win-back", inputs=inputs)
    result = result_of(finished)
    assert (result["eligible"], result["wrote"], sent_by(finished)) == (eligible, wrote, sent)


def test_the_offer_is_the_dealerships_own() -> None:
    finished = run_entry("lost-lead-win-back", parameters={"offer": "500 off & {{ steps.x }}"})
    assert "would like to try again and offer 500 off & {{ steps.x }}." in finished.to("john@example.com").text


# review-request

ASKED = ("maria@example.com", "How did we do?")
TOLD = ("manager@example.org", "Please call Maria Lopez: unhappy with the visit on 2026-11-18")


@pytest.mark.parametrize(
    ("inputs", "mood", "sent"),
    [
        ({}, "negative", [TOLD, ASKED]),
        ({"feedback": "Great service, friendly staff, thank you!"}, "positive", [ASKED]),
        ({"feedback": None}, None, [ASKED]),
        ({"feedback": None, "customer_email": None}, None, []),
        ({"customer_email": None}, "negative", [TOLD]),
    ],
)
def test_a_review_is_asked_for_and_unhappiness_told(inputs: dict[str, Any], mood: str | None, sent: list[Any]) -> None:
    finished = run_entry("review-request", inputs=inputs)
    result = result_of(finished)
    assert (result["mood"], result["asked"], result["manager_told"]) == (mood, ASKED in sent, TOLD in sent)
    assert sent_by(finished) == sorted(sent)


def test_the_review_mail_names_the_page() -> None:
    assert "https://reviews.example.com/example-motors" in run_entry("review-request").to("maria@example.com").text
