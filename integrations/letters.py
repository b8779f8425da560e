"""Sending the mails that accounts owe to people, through the one mail gateway. A worker's thread calls it again and again."""

from __future__ import annotations

import structlog
from django.db import connection

from accounts import letters
from engine.ports import PortFailure, Rejected
from integrations.selectors import email_port

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 30.0


def deliver_letter() -> bool:
    """Send the letter that has been due longest. Returns whether there was one.

    At least once: where the answer was lost, or this process dies, it goes out again under the same Message-ID.
    """
    letter = letters.claim()
    if letter is None:
        return False
    mail = letters.compose(letter)
    if mail is None:
        letters.pointless(letter)
        return True
    connection.close()  # Nothing of the database is held while the mail server takes its time.
    try:
        email_port().send(mail, timeout=TIMEOUT_SECONDS)
    except PortFailure as failure:
        letters.not_sent(letter, failure.message, final=isinstance(failure, Rejected))
    except Exception as defect:
        log.exception("letter_crashed", letter=str(letter.pk))
        letters.not_sent(
            letter, f"It could not be sent ({type(defect).__name__}). This is a defect of ours.", final=False
        )
    else:
        letters.sent(letter)
    return True
