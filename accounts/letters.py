"""Mails of ours to people: owed in the transaction that makes them due, and sent by a worker (`integrations.letters`)."""

from __future__ import annotations

import datetime as dt
import random
from typing import Final

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html

from accounts import links, proofs
from accounts.models import Invitation, Letter, LetterKind
from auterity.kernel.models import first_id_of
from engine.ports import Mail

CLAIM_SECONDS: Final = 120.0  # longer than a mail server may take
POINTLESS: Final = "Not sent: its cause was gone."
MAX_ATTEMPTS: Final = 10
PAUSE: Final = dt.timedelta(minutes=1)  # between two mails of a kind that anybody can have sent to an address


def owe_invitation(invitation: Invitation) -> None:
    """Owe the invited person the link. What was owed for an earlier link is not sent any more."""
    Letter.objects.filter(invitation=invitation, due_at__isnull=False).update(due_at=None)
    Letter.objects.create(
        kind=LetterKind.INVITATION, recipient=invitation.email, invitation=invitation, due_at=timezone.now()
    )


def owe_proof(kind: LetterKind, email: str, *, onward: str = "") -> None:
    """Owe an address a link (or a word) that anybody can ask for, unless it got one within the last minute or one is on its way.

    `onward` is the path at which one goes on when the link has done its work.
    Nothing here depends on whether the address has an account; that is looked at when the mail is made.
    """
    now = timezone.now()
    lately = Letter.objects.filter(kind=kind, recipient=email, created_at__gt=now - PAUSE)
    if not lately.exists() and not Letter.objects.filter(kind=kind, recipient=email, due_at__isnull=False).exists():
        Letter.objects.create(kind=kind, recipient=email, due_at=now, onward=onward)


def owe_notice(kind: LetterKind, email: str) -> None:
    """Owe somebody word of a change to their account, in the caller's transaction."""
    Letter.objects.create(kind=kind, recipient=email, due_at=timezone.now())


def claim() -> Letter | None:
    """The letter that has been due longest, due again in two minutes should this process die."""
    now = timezone.now()
    due = Letter.objects.filter(due_at__lte=now).order_by("due_at")
    if not due.exists():  # Most looks find nothing; only a writer takes SQLite's one lock.
        return None
    with transaction.atomic():
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        letter = due.first()
        if letter is not None:
            letter.attempts += 1
            letter.due_at = now + dt.timedelta(seconds=CLAIM_SECONDS)
            letter.save(update_fields=["attempts", "due_at", "updated_at"])
    return letter


def compose(letter: Letter) -> Mail | None:
    """The mail as it is sent, or None where it is pointless."""
    if letter.kind in _NOTICES:
        return _notice(letter)
    if letter.kind != LetterKind.INVITATION:
        return _proof(letter)
    rows = Invitation.unscoped.select_related("organization", "invited_by", "custom_role")
    invitation = rows.get(pk=letter.invitation_id)
    if not links.is_open(invitation, timezone.now()):
        return None
    who = invitation.invited_by
    role = invitation.role if invitation.custom_role is None else invitation.custom_role.name
    by = f"{who.first_name} {who.last_name} ({who.email})" if who is not None else "An administrator"
    return _mail(
        letter,
        subject=f"Join {_line(invitation.organization.name)} on Auterity",
        said=f"{by} invites you to join {invitation.organization.name} on Auterity as {_line(role)}.",
        link=links.invitation_link(invitation),
        until=invitation.expires_at,
        otherwise="If you did not expect this, ignore this mail: nothing happens without you.",
    )


def sent(letter: Letter) -> None:
    """The mail gateway took it."""
    Letter.objects.filter(pk=letter.pk).update(due_at=None, sent_at=timezone.now(), problem="")


def pointless(letter: Letter) -> None:
    """Nothing is to be sent any more."""
    Letter.objects.filter(pk=letter.pk).update(due_at=None, problem=POINTLESS)


def not_sent(letter: Letter, problem: str, *, final: bool) -> None:
    """It did not go out; unless that is final it is tried again, later each time."""
    wait = min(10 * 4 ** (letter.attempts - 1), 6 * 3600) * random.uniform(0.8, 1.2)  # noqa: S311  Spreads retries; no secret.
    over = final or letter.attempts >= MAX_ATTEMPTS
    due = None if over else timezone.now() + dt.timedelta(seconds=wait)
    Letter.objects.filter(pk=letter.pk, sent_at=None).update(due_at=due, problem=problem[:500])


def forget(*, before: dt.datetime, limit: int) -> int:
    """Delete letters that were owed before that moment and are owed no more, with the links they carried. Returns how many."""
    old = Letter.objects.filter(pk__lt=first_id_of(before), due_at=None).order_by("pk")
    chosen = list(old.values_list("pk", flat=True)[:limit])
    if chosen:
        Letter.objects.filter(pk__in=chosen).delete()
    return len(chosen)


def given_up_since(moment: dt.datetime) -> QuerySet[Letter]:
    """Letters owed since a moment that did not go out and are tried no more. One whose cause was gone is none."""
    owed = Letter.objects.filter(pk__gte=first_id_of(moment), due_at=None, sent_at=None)
    return owed.exclude(problem=POINTLESS)


def try_now(rows: QuerySet[Letter]) -> int:
    """An operator has those that were not sent tried at once, given up ones too. Returns how many."""
    return rows.filter(sent_at=None).update(due_at=timezone.now(), attempts=0)


# -- inside ----------------------------------------------------------------------------------------------------------


_NOTICES: Final = {
    LetterKind.PASSKEY_ADDED: (
        "A passkey was added to your Auterity account",
        "A passkey was added to your Auterity account. It signs in from now on.",
    ),
    LetterKind.DEVICE_ADDED: (
        "A device was registered for your Auterity account",
        "A device was registered for your Auterity account. It can sign in by a key of its own from now on.",
    ),
    LetterKind.REGISTRATION_TRIED: (
        "You have an Auterity account already",
        "Somebody tried to make an Auterity account with your address, which has one already. Nothing was changed.",
    ),
    LetterKind.PASSWORD_CHANGED: ("Your password was changed", "The password of your Auterity account was changed."),
    LetterKind.MFA_ENABLED: (
        "A second factor was set up",
        "An authenticator app was set up for your Auterity account. Each login asks for its code from now on.",
    ),
    LetterKind.MFA_DISABLED: (
        "Your second factor was removed",
        "The authenticator app of your Auterity account was removed. A password is enough to log in from now on.",
    ),
}


def _notice(letter: Letter) -> Mail:
    subject, said = _NOTICES[LetterKind(letter.kind)]
    when = f"This was on {letter.created_at:%d %B %Y at %H:%M} UTC."
    otherwise = "If it was not you, choose a new password by a mailed link at once, and tell your administrator."
    if letter.kind == LetterKind.REGISTRATION_TRIED:
        otherwise = (
            "If it was you, log in instead, or choose a new password by a mailed link. Otherwise ignore this mail."
        )
    text = f"Hello,\n\n{said} {when}\n\n{otherwise}\n"
    html = format_html("<p>Hello,</p>\n<p>{} {}</p>\n<p>{}</p>\n", said, when, otherwise)
    return Mail(key=f"letter/{letter.pk}", to=[letter.recipient], subject=subject, text=text, html=html)


def _proof(letter: Letter) -> Mail | None:
    made = proofs.make(letter)
    if made is None:
        return None
    if letter.kind == LetterKind.EMAIL_CODE:
        return _code(letter, links.mail_code(letter.pk), made.expires_at)
    reset = letter.kind == LetterKind.PASSWORD_RESET
    return _mail(
        letter,
        subject="Choose a new password for Auterity" if reset else "Confirm your address for Auterity",
        said="Somebody, probably you, asked to choose a new password for your account. This is where you do it:"
        if reset
        else "Please confirm that this address is yours:",
        link=links.proof_link(letter.kind, letter.pk, letter.onward),
        until=made.expires_at,
        otherwise="If it was not you, ignore this mail: nothing changes.",
    )


def _code(letter: Letter, code: str, until: dt.datetime) -> Mail:
    when = f"{until:%d %B %Y, %H:%M} UTC"
    said = "This code proves that it is you who logs in to Auterity:"
    otherwise = (
        "If you are not logging in, somebody knows your password: choose a new one at once. Give the code to nobody."
    )
    text = f"Hello,\n\n{said}\n\n{code}\n\nIt works once, until {when}.\n{otherwise}\n"
    html = format_html(
        "<p>Hello,</p>\n<p>{}</p>\n<p><strong>{}</strong></p>\n<p>It works once, until {}. {}</p>\n",
        said, code, when, otherwise,
    )  # fmt: skip
    return Mail(
        key=f"letter/{letter.pk}", to=[letter.recipient], subject="Your code for Auterity", text=text, html=html
    )


def _mail(letter: Letter, *, subject: str, said: str, link: str, until: dt.datetime, otherwise: str) -> Mail:
    when = f"{until:%d %B %Y, %H:%M} UTC"
    text = f"Hello,\n\n{said}\n\n{link}\n\nThe link works once, until {when}.\n{otherwise}\n"
    html = format_html(
        '<p>Hello,</p>\n<p>{}</p>\n<p><a href="{}">{}</a></p>\n<p>The link works once, until {}. {}</p>\n',
        said, link, link, when, otherwise,
    )  # fmt: skip
    return Mail(key=f"letter/{letter.pk}", to=[letter.recipient], subject=subject, text=text, html=html)


def _line(text: str) -> str:
    return " ".join(text.split())
