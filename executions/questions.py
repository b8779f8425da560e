"""Questions that waiting steps ask, and their answers: by members, by people who follow a link, and by other systems' events.

Every channel comes through `_store`: the question must be open, the answerer must be among those who were asked, and each answers
once. Looking at a question never answers it.
"""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import Membership, normal_email
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import FieldProblem, InvalidInput, PermissionDenied
from auterity.kernel.models import uuid7
from engine.waiting import Reason
from executions import arrivals, journal
from executions.errors import AlreadyAnswered, QuestionClosed, QuestionNotFound
from executions.handed_in import strangers
from executions.models import Execution, OpenQuestion, QuestionAnswer, ReceivedEvent
from executions.people import Link, or_higher
from nodes.settings.form_fields import FormField, collect

MAX_ANSWER_BYTES = 256 * 1024
MAX_COMMENT = 4000  # characters
PEOPLE = (Reason.APPROVAL, Reason.FORM, Reason.SETTLE)


def list_questions(
    *, actor: Actor, reason: str | None = None, execution_id: UUID | None = None
) -> QuerySet[OpenQuestion]:
    """Open questions to people, newest first."""
    require(actor, Permission.EXECUTION_READ)
    found = (
        OpenQuestion.objects.of(actor).filter(closed_at=None, reason__in=[reason] if reason else PEOPLE).order_by("-id")
    )
    return found if execution_id is None else found.filter(execution_id=execution_id)


def get_question(*, actor: Actor, question_id: UUID) -> OpenQuestion:
    """Open or closed. Raises `QuestionNotFound`."""
    require(actor, Permission.EXECUTION_READ)
    found = OpenQuestion.objects.of(actor).filter(id=question_id, reason__in=PEOPLE).first()
    if found is None:
        raise QuestionNotFound
    return found


def may_answer(*, actor: Actor, question: OpenQuestion) -> bool:
    """Whether this member was asked."""
    return _refusal(actor, question) is None


def answers_to(question: OpenQuestion) -> int:
    """How many have answered it so far."""
    return QuestionAnswer.objects.of(question.organization_id).filter(question=question).count()


@transaction.atomic
def answer(*, actor: Actor, question_id: UUID, given: dict[str, Any]) -> OpenQuestion:
    """A member's answer.

    `given` is, by the question's reason: approval {decision: approve|reject, comment, fields}, form {values}, settle {happened:
    bool, output, comment}. Raises `QuestionNotFound`, `QuestionClosed`, `AlreadyAnswered`, `PermissionDenied`, `InvalidInput`.
    """
    question = get_question(actor=actor, question_id=question_id)
    refusal = _refusal(actor, question)
    if refusal is not None:
        raise PermissionDenied(refusal)
    return _store(question, given, key=str(actor.user_id), user_id=actor.user_id, email=actor.email)


def question_of(link: Link) -> OpenQuestion:
    """The newest question of the step that a link names. Raises `QuestionNotFound` when its person is not asked."""
    found = OpenQuestion.unscoped.filter(execution_id=link.execution_id, node_id=link.node_id).order_by("-id").first()
    if found is None or found.reason not in (Reason.APPROVAL, Reason.FORM):
        raise QuestionNotFound
    if not found.public and _member(found, link.email) is None and link.email not in _emails(found):
        raise QuestionNotFound
    return found


def has_answered(link: Link, question: OpenQuestion) -> bool:
    """Whether who follows this link has answered already."""
    member = _member(question, link.email)
    key = str(member.user_id) if member is not None else _hashed(link.email)
    return QuestionAnswer.objects.of(question.organization_id).filter(question=question, key=key).exists()


@transaction.atomic
def answer_by_link(*, link: Link, given: dict[str, Any]) -> OpenQuestion:
    """The answer of a person who follows a link that was sent to them. Raises as `answer`."""
    question = question_of(link)
    member = _member(question, link.email)
    if question.not_author and member is not None and member.user_id == _author(question):
        raise PermissionDenied("Who started this run may not decide on it.")
    if member is not None:
        return _store(question, given, key=str(member.user_id), user_id=member.user_id, email=link.email)
    return _store(question, given, key=_hashed(link.email), user_id=None, email=link.email)


@transaction.atomic
def receive_event(*, actor: Actor, name: str, data: dict[str, Any], key: str = "") -> tuple[int, bool]:
    """Take an event in and give it to every step that waits for it: (how many, whether it had come before).

    `key` is the sender's id for it; one that repeats changes nothing. Raises `InvalidInput`.
    """
    require(actor, Permission.WORKFLOW_EXECUTE)
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise InvalidInput.of("event", "An event's name has 1 to 200 printable characters.")
    _check_size("data", data)
    arrivals.lock([(actor.organization_id, name)])
    kept = hashlib.sha256(key.encode()).hexdigest() if key else uuid7().hex
    if key and ReceivedEvent.objects.of(actor).filter(name=name, key=kept).exists():
        return 0, True
    ReceivedEvent(organization_id=actor.organization_id, name=name, key=kept, data=data).save(force_insert=True)
    reached = arrivals.answer_open(organization_id=actor.organization_id, name=name, key=kept, data=data)
    journal.signal(reached)
    return len(reached), False


# -- inside ----------------------------------------------------------------------------------------------------------


def _store(
    question: OpenQuestion, given: dict[str, Any], *, key: str, user_id: UUID | None, email: str
) -> OpenQuestion:
    # Locked: the run may close it at this very moment.
    locked = OpenQuestion.unscoped.select_for_update().get(id=question.id)
    taken = QuestionAnswer.unscoped.filter(question=locked)
    one_only = locked.reason != Reason.APPROVAL
    if taken.filter(key=key).exists():
        raise AlreadyAnswered
    if locked.closed_at is not None or (one_only and taken.exists()):
        raise QuestionClosed
    row = QuestionAnswer(
        organization_id=locked.organization_id,
        question=locked,
        key=key,
        user_id=user_id,
        email=email,
        data=_read(locked, given),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyAnswered from error
    journal.signal([locked.execution_id])
    return locked


def _read(question: OpenQuestion, given: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an answer. Raises `InvalidInput` naming every field."""
    _check_size("answer", given)
    if question.reason == Reason.FORM:
        return _fields(question, given.get("values"), "values")
    comment = str(given.get("comment") or "")[:MAX_COMMENT]
    if question.reason == Reason.SETTLE:
        if not isinstance(given.get("happened"), bool):
            raise InvalidInput.of("happened", "Say true when it took effect, or false when it did not.", "required")
        return {"happened": given["happened"], "output": given.get("output"), "comment": comment}
    if given.get("decision") not in ("approve", "reject"):
        raise InvalidInput.of("decision", "Say approve or reject.", "required")
    fields = _fields(question, given.get("fields"), "fields") if given["decision"] == "approve" else {}
    return {"decision": given["decision"], "comment": comment, "fields": fields}


def _fields(question: OpenQuestion, given: Any, place: str) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise InvalidInput.of(place, "This must be an object of field names and values.")
    fields = [FormField.model_validate(each) for each in question.fields]
    if not fields:
        return given or {}
    values, errors = collect(fields, given or {})
    errors = errors or strangers(question.organization_id, fields, values)
    if errors:
        raise InvalidInput([FieldProblem(f"{place}.{name}", message) for name, message in errors.items()])
    return values


def _check_size(name: str, value: Any) -> None:
    try:
        size = len(orjson.dumps(value))
    except TypeError as error:
        raise InvalidInput.of(name, f"This holds a value that cannot be kept: {error}.") from error
    if size > MAX_ANSWER_BYTES:
        raise InvalidInput.of(name, f"This may have {MAX_ANSWER_BYTES:,} bytes; it has {size:,}.")


def _refusal(actor: Actor, question: OpenQuestion) -> str | None:
    """Why this member may not answer, or None."""
    if question.not_author and actor.user_id == _author(question):
        return "Who started this run may not decide on it."
    if (
        question.public
        or actor.role.value in or_higher(question.roles)
        or normal_email(actor.email) in _emails(question)
    ):
        return None
    return "You are not among those who were asked."


def _emails(question: OpenQuestion) -> set[str]:
    return {each["email"] for each in question.people}


def _member(question: OpenQuestion, email: str) -> Membership | None:
    """The member with this address, where they hold a role that was asked or were asked by name."""
    if not email:
        return None
    rows = Membership.objects.filter(
        organization_id=question.organization_id, user__email=email, is_active=True, user__is_active=True
    )
    found = rows.first()
    if found is None:
        return None
    return found if found.role in or_higher(question.roles) or email in _emails(question) else None


def _author(question: OpenQuestion) -> UUID | None:
    return Execution.unscoped.values_list("created_by_id", flat=True).get(id=question.execution_id)


def _hashed(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest() if email else "public"
