"""Logs name the addresses that were refused, and nothing by which somebody could open one."""

from __future__ import annotations

import logging
import sys
from uuid import UUID

import pytest

from auterity.kernel.logs import Plain, without_links

TOKEN = "AbC-_9" * 7


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"Bad Request: /password-reset/{TOKEN}", "Bad Request: /password-reset/***"),
        (f"/answer/{TOKEN}?x=1 and /invitations/{TOKEN}/", "/answer/***?x=1 and /invitations/***/"),
        (f'path="/email-verification/{TOKEN}"', 'path="/email-verification/***"'),
        (f"http://localhost:8000/answer/{TOKEN}", "http://localhost:8000/answer/***"),
        (f"/api/organizations/current/invitations/{UUID(int=1)}/resend",) * 2,
        ("/api/invitations/accept", "/api/invitations/accept"),
    ],
)
def test_the_secret_part_of_a_mailed_link_is_taken_out(said: str, kept: str) -> None:
    assert without_links(said) == kept


def test_a_line_and_its_traceback_hold_none() -> None:
    try:
        raise ValueError(f"/answer/{TOKEN} broke")
    except ValueError:
        record = logging.LogRecord("django.request", 40, "x", 1, "%s: %s", ("Bad", f"/answer/{TOKEN}"), sys.exc_info())
    line = Plain().format(record)
    assert TOKEN not in line
    assert "Bad: /answer/***" in line
    assert "ValueError: /answer/*** broke" in line
