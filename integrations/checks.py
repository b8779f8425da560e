"""Settings that would only fail on the first mail or call fail at `manage.py check` instead. Values are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from engine.ports import PortFailure
from integrations import egress, selectors
from integrations.sms import sms_by_url


def check_settings(**_: Any) -> list[CheckMessage]:
    """EGRESS_ALLOW, SMTP_URL, SMS_URL, SQLITE_DIR and OPENAI_BASE_URL can be read."""
    problems: list[CheckMessage] = []
    try:
        egress.allow_list()
    except ValueError as error:
        # Without a list nothing below can be judged.
        return [Error(f"AUTERITY_EGRESS_ALLOW: {error}", id="integrations.E001")]
    try:
        selectors.email_port()
    except PortFailure as error:
        problems.append(Error(f"AUTERITY_SMTP_URL: {error.message}", id="integrations.E002"))
    if settings.SMS_URL:
        try:
            sms_by_url(settings.SMS_URL)
        except PortFailure as error:
            problems.append(Error(f"AUTERITY_SMS_URL: {error.message}", id="integrations.E004"))
    if settings.SQLITE_DIR and not Path(settings.SQLITE_DIR).is_dir():
        problems.append(Error("AUTERITY_SQLITE_DIR: there is no such folder.", id="integrations.E005"))
    if settings.OPENAI_BASE_URL:
        try:
            egress.check_url(settings.OPENAI_BASE_URL)
        except PortFailure as error:
            problems.append(Error(f"OPENAI_BASE_URL: {error.message}", id="integrations.E003"))
    return problems
