"""Questions of waiting steps and incoming events: `/api/questions`, `/api/events`."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import questions as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from executions import questions
from executions.errors import AlreadyAnswered, QuestionClosed, QuestionNotFound
from executions.models import OpenQuestion


class QuestionsView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        summary="List open questions",
        query=bodies.QuestionQuery,
        answers={200: bodies.QuestionPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """What runs of the organization wait for people to say, newest first."""
        rows = questions.list_questions(
            actor=call.actor, reason=call.query.reason, execution_id=call.query.execution_id
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.QuestionPage(questions=[_question(call.actor, each) for each in found], **page))


class QuestionView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        summary="Read a question",
        answers={200: bodies.QuestionBody},
        raises=[NotAuthenticated, PermissionDenied, QuestionNotFound],
    )
    def get(self, call: Call[None], question_id: UUID) -> Answer:
        """Open or closed. Reading it decides nothing."""
        return Answer(_question(call.actor, questions.get_question(actor=call.actor, question_id=question_id)))


class AnswerView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        id="question_answer",
        summary="Answer a question",
        body=bodies.AnswerGiven,
        answers={200: bodies.QuestionBody},
        raises=[
            NotAuthenticated,
            PermissionDenied,
            QuestionNotFound,
            QuestionClosed,
            AlreadyAnswered,
            InvalidInput,
        ],
        creates=True,
    )
    def post(self, call: Call[bodies.AnswerGiven], question_id: UUID) -> Answer:
        """Approve or reject, fill in a form, or say whether an effect that nobody could tell took place. Once a person."""
        given = call.body.model_dump(exclude_none=True)
        question = questions.answer(actor=call.actor, question_id=question_id, given=given)
        return Answer(_question(call.actor, question))


class EventsView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        id="event_send",
        summary="Send an event",
        body=bodies.EventGiven,
        answers={202: bodies.EventTaken},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
        creates=True,
    )
    def post(self, call: Call[bodies.EventGiven]) -> Answer:
        """Wakes the runs that wait for an event of this name. Runs that reach their waiting step later find it too."""
        reached, repeated = questions.receive_event(
            actor=call.actor, name=call.body.event, data=call.body.data, key=call.body.id
        )
        return Answer(bodies.EventTaken(event=call.body.event, reached=reached, repeated=repeated), 202)


def _question(actor: Actor, question: OpenQuestion) -> bodies.QuestionBody:
    is_open = question.closed_at is None
    return bodies.QuestionBody(
        id=question.id,
        execution_id=question.execution_id,
        workflow_id=question.workflow_id,
        node_id=question.node_id,
        reason=cast("bodies.QuestionReason", question.reason),
        title=question.title,
        message=question.message,
        fields=question.fields,
        people=[bodies.PersonBody(email=each["email"], name=each.get("name", "")) for each in question.people],
        roles=question.roles,
        public=question.public,
        open=is_open,
        may_answer=is_open and questions.may_answer(actor=actor, question=question),
        answers=questions.answers_to(question),
        expires_at=question.due_at,
        created_at=question.created_at,
    )
