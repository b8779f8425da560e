"""A trigger that takes what Standard Webhooks describes: id, time and body are signed, and a call counts once."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest

from executions.models import Execution
from tests.api.auterity.hooks import BODY, make, post, signed
from tests.api.people import Api, refusal

pytestmark = pytest.mark.django_db


def stamp(seconds: float = 0) -> str:
    return str(int(time.time() + seconds))


def standard(
    sent_id: str = "msg_1", seconds: float = 0, *, key: bytes = b"k" * 24, body: bytes = BODY, version: str = "v1"
) -> dict[str, str]:
    """Standard Webhooks, as a sender would write it from the specification alone."""
    sent_at = stamp(seconds)
    mac = hmac.digest(key, f"{sent_id}.{sent_at}.".encode() + body, "sha256")
    return {
        "Webhook_Id": sent_id,
        "Webhook_Timestamp": sent_at,
        "Webhook_Signature": f"{version},{base64.b64encode(mac).decode()}",
    }


STANDARD = {"authentication": "standard-webhooks", "secret": "whsec_" + base64.b64encode(b"k" * 24).decode()}


def test_a_standard_webhook_is_let_in_once(api: Api) -> None:
    path = make(api, **STANDARD)
    first, again = post(path, **standard()), post(path, **standard(seconds=-5))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    kept = Execution.unscoped.get().context["webhook"]["headers"]
    assert kept["webhook-id"] == "msg_1"
    assert "webhook-signature" not in kept
    moved = standard("msg_1") | {"Idempotency_Key": "another"}  # What nobody signed tells no repeats apart.
    assert post(path, **moved).json() == first.json()
    many = standard("msg_2")
    many["Webhook_Signature"] = f"v1a,abc v1,AAAA {many['Webhook_Signature']}"  # While its sender changes keys.
    assert post(path, **many).json() != first.json()
    assert post(make(api, **STANDARD | {"secret": "plain"}), **standard(key=b"plain")).status_code == 202


def without(name: str) -> dict[str, str]:
    return {each: value for each, value in standard().items() if each != name}


# Written when the test runs: they hold the time.
STANDARD_MUTATIONS: dict[str, tuple[dict[str, Any], Callable[[], dict[str, str]]]] = {
    "nothing": ({}, dict),
    "the other scheme": ({}, lambda: {"X_Webhook_Signature": signed()}),
    "another id": ({}, lambda: standard() | {"Webhook_Id": "msg_2"}),
    "empty id": ({}, lambda: standard("")),
    "no id": ({}, lambda: without("Webhook_Id")),
    "another time": ({}, lambda: standard() | {"Webhook_Timestamp": stamp(7)}),
    "no time": ({}, lambda: without("Webhook_Timestamp")),
    "too old": ({}, lambda: standard(seconds=-400)),
    "too far ahead": ({}, lambda: standard(seconds=400)),
    "outside its own window": ({"tolerance_seconds": 5}, lambda: standard(seconds=-60)),
    "another key": ({}, lambda: standard(key=b"another")),
    "no key": ({}, lambda: standard(key=b"")),
    "another body": ({}, lambda: standard(body=BODY + b" ")),
    "another version": ({}, lambda: standard(version="v1a")),
    "a later version": ({}, lambda: standard(version="v2")),
    "an id that could end elsewhere": ({}, lambda: standard("msg.1")),
    "behind a hundred others": (
        {},
        lambda: standard() | {"Webhook_Signature": "v1,x " * 100 + standard()["Webhook_Signature"]},
    ),
    "without its version": (
        {},
        lambda: standard() | {"Webhook_Signature": standard()["Webhook_Signature"].removeprefix("v1,")},
    ),
    "no secret is set": ({"secret": ""}, lambda: standard(key=b"")),
    "an empty secret": ({"secret": "whsec_"}, lambda: standard(key=b"")),
    "a secret that is no base64": ({"secret": "whsec_no base64!"}, lambda: standard(key=b"")),
}


@pytest.mark.parametrize("name", STANDARD_MUTATIONS)
def test_every_flaw_of_a_standard_webhook_gets_the_same_refusal(api: Api, name: str) -> None:
    config, headers = STANDARD_MUTATIONS[name]
    refusal(post(make(api, **STANDARD | config), **headers()), 401, "AUTH_001")
    assert not Execution.unscoped.exists()
