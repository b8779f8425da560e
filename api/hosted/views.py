"""Hosted pages: a question that somebody answers by a link, and a form that starts a run.

Opening a page (GET) changes nothing, whoever or whatever opens it; only sending its form (POST) does, and no POST of nothing. Who
holds the link may answer, so pages are not cached, not framed, not indexed, and do not tell other sites where they were.
"""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

import structlog
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from api.hosted.fields import Drawn, drawn, files_in, given_in
from api.hosted.pages import drawn_page
from api.problems import BodyTooLarge, as_domain_error
from api.uploads import OnDisk
from auterity.kernel.errors import DomainError, FieldProblem, InvalidInput, Kind
from executions import forms, handed_in, people, questions
from executions.errors import AlreadyAnswered, QuestionClosed, QuestionNotFound
from executions.models import OpenQuestion
from workflows.errors import WorkflowNotFound

log = structlog.get_logger(__name__)

_STATUS = {
    Kind.NOT_FOUND: 404,
    Kind.FORBIDDEN: 403,
    Kind.CONFLICT: 409,
    Kind.INVALID: 400,
    Kind.LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}


class _Unasked(FileUploadHandler):
    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        return None

    def file_complete(self, file_size: int) -> None:
        return None


class HostedPage(View):
    """No cookie counts here, so there is nothing that a forged request could misuse."""

    http_method_names = ["get", "head", "options", "post"]

    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer: HttpResponseBase
        try:
            answer = super().dispatch(request, *args, **kwargs)
        except DomainError as error:
            answer = self.say(request, "This cannot be done", error.message, status=_STATUS.get(error.kind, 400))
        except Exception as error:
            answer = self._say_problem(request, error)
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"
        answer["X-Robots-Tag"] = "noindex, nofollow"
        return answer

    def take_files(self, request: HttpRequest, fields: list[Drawn]) -> None:
        """Files go to disk, measured, where the form asks for some; else whatever comes as a file is passed over."""
        wanted = any(each.kind == "file" for each in fields)
        request.upload_handlers = [OnDisk(request) if wanted else _Unasked(request)]

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer = self.say(request, "This cannot be done", "This page can be opened and its form sent.", status=405)
        answer["Allow"] = "GET, HEAD, OPTIONS, POST"
        return answer

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponse(status=204, headers={"Allow": "GET, HEAD, OPTIONS, POST"})

    def _say_problem(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """What was raised below the services: by the parsers of forms, by the database, or by a defect of ours."""
        problem = as_domain_error(error)
        if problem is None:
            log.exception("page_crashed", path=request.path)
            return self.say(request, "Something went wrong", "It is in our log. Please try again later.", status=500)
        if problem.kind is Kind.UNAVAILABLE:
            answer = self.say(
                request, "Please try again", "A part of our service does not answer just now.", status=503
            )
            answer["Retry-After"] = "5"
            return answer
        if isinstance(problem, BodyTooLarge):
            return self.say(request, "This cannot be done", "What you sent is too large.", status=413)
        message = "There is no such page." if problem.kind is Kind.NOT_FOUND else "What you sent cannot be read."
        return self.say(request, "This cannot be done", message, status=_STATUS.get(problem.kind, 400))

    def say(
        self, request: HttpRequest, title: str, message: str, status: int = 200, *, onward: str = ""
    ) -> HttpResponse:
        """`onward` is a path of this server to go on at."""
        about = {"title": title, "message": message, "onward": onward}
        return self.page(request, "hosted/message.html", about, status)

    def page(self, request: HttpRequest, template: str, about: dict[str, Any], status: int = 200) -> HttpResponse:
        return drawn_page(request, template, about, status)


class AnswerPage(HostedPage):
    """`/answer/{token}`: an approval to decide on, or a form to fill in."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        _link, question = self._read(token)
        return self._show(request, question)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        link, question = self._read(token)
        fields = drawn(question.fields)
        self.take_files(request, fields)
        if not _is_filled_in(request, fields):
            return self._show(request, question, status=400)
        decides = question.reason == "approval"
        decision = request.POST.get("decision", "")
        files = {} if decides and decision != "approve" else files_in(fields, request.FILES)
        place = "fields" if decides else "values"
        try:
            with handed_in.kept(organization_id=question.organization_id, files=files, place=place) as kept:
                values = {**given_in(fields, request.POST), **kept.ids}
                told = {"decision": decision, "comment": request.POST.get("comment", "")} if decides else {}
                questions.answer_by_link(link=link, given={**told, place: values})
        except InvalidInput as error:
            return self._show(request, question, error.problems, status=400)
        return self.say(request, "Thank you", "Your answer was recorded. You can close this page.")

    def _read(self, token: str) -> tuple[people.Link, OpenQuestion]:
        link = people.read_link(token)
        if link is None:
            raise QuestionNotFound("This link is not valid. Look whether it was copied whole.")
        question = questions.question_of(link)
        if question.closed_at is not None:
            raise QuestionClosed("This question is no longer open: it was answered, or its time is over.")
        if questions.has_answered(link, question):
            raise AlreadyAnswered
        return link, question

    def _show(
        self,
        request: HttpRequest,
        question: OpenQuestion,
        problems: list[FieldProblem] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        about = {
            "title": question.title,
            "message": question.message,
            "fields": _with_problems(drawn(question.fields, request.POST), problems or []),
            "decides": question.reason == "approval",
            "comment": request.POST.get("comment", ""),
            "until": question.due_at,
        }
        return self.page(request, "hosted/question.html", about, status)


class StartPage(HostedPage):
    """`/forms/{workflow_id}/{node_id}`: a public form whose values start a run."""

    def get(self, request: HttpRequest, workflow_id: UUID, node_id: str) -> HttpResponse:
        return self._show(request, self._read(workflow_id, node_id))

    def post(self, request: HttpRequest, workflow_id: UUID, node_id: str) -> HttpResponse:
        form = self._read(workflow_id, node_id)
        fields = drawn(form.fields)
        self.take_files(request, fields)
        if not _is_filled_in(request, fields):
            return self._show(request, form, status=400)
        files = files_in(fields, request.FILES)
        try:
            with handed_in.kept(organization_id=form.actor.organization_id, files=files, place="values") as kept:
                values = {**given_in(fields, request.POST), **kept.ids}
                started = forms.submit(form, values, key=request.POST.get("once", ""))
                if any(started.input_data.get(name) != each for name, each in kept.ids.items()):
                    kept.forget()  # Sent twice: the run has the files that came first.
        except InvalidInput as error:
            return self._show(request, form, error.problems, status=400)
        return self.say(request, "Thank you", "What you sent has arrived. You can close this page.", status=202)

    def _read(self, workflow_id: UUID, node_id: str) -> forms.StartForm:
        try:
            return forms.form_of(workflow_id=workflow_id, node_id=node_id)
        except WorkflowNotFound:
            raise WorkflowNotFound("There is no such form, or it is not public.") from None

    def _show(
        self, request: HttpRequest, form: forms.StartForm, problems: list[FieldProblem] | None = None, status: int = 200
    ) -> HttpResponse:
        about = {
            "title": form.title,
            "message": form.description,
            "fields": _with_problems(drawn(form.fields, request.POST), problems or []),
            "decides": False,
            "once": request.POST.get("once") or secrets.token_urlsafe(18),
        }
        return self.page(request, "hosted/question.html", about, status)


def _is_filled_in(request: HttpRequest, fields: list[Drawn]) -> bool:
    """Whether anything of the page's form came. A machine that sends an empty POST to every address it finds fills in nothing."""
    controls = {"once", "sent", "decision", *(each.key for each in fields)}
    return not controls.isdisjoint({*request.POST, *request.FILES})


def _with_problems(fields: list[Drawn], problems: list[FieldProblem]) -> list[Drawn]:
    told = {problem.field.partition(".")[2]: problem.message for problem in problems}
    for field in fields:
        field.problem = told.get(field.name, "")
    return fields
