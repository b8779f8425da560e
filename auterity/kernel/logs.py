"""What may stand in a log or in the trail of an address: mailed links prove who somebody is by a part of their path."""

from __future__ import annotations

import logging
import re
from typing import Final

# Ids, which tell nothing, stay.
_LINK: Final = re.compile(
    r"(/(?:answer|email-verification|invitations|password-reset)/)(?![0-9a-f]{8}-(?:[0-9a-f]{4}-){3})[\w%.~-]{16,}"
)


def without_links(text: str) -> str:
    """The text with the secret part of every mailed link of ours taken out."""
    return _LINK.sub(r"\1***", text)


class Plain(logging.Formatter):
    """One line an event, without them: Django names the path of whatever it refuses, also of a link that still works."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return without_links(super().format(record))
