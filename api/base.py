"""The one way a request takes: authenticate, read the shape, call a service, write the shape. Policy is attributes.

class WorkflowList(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_CREATE, summary="Create a workflow", body=WorkflowCreate, answers={201: WorkflowBody}
    )
    def post(self, call: Call[WorkflowCreate]) -> Answer: ...
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, Generic, TypeVar, cast

import orjson
import structlog
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from pydantic import BaseModel
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.errors import NotAuthenticated
from api import csrf, fields, needs
from api.cookies import Cookie
from api.dialect import DIALECTS, Dialect
from api.idempotency import once
from api.json_types import mistyped
from api.later import Later, answer_later
from api.needs import Needs
from api.negotiation import ByPreference, preferred
from api.parsers import JsonParser, JsonRenderer
from api.problems import (
    Crashed,
    MalformedBody,
    NoSuchPath,
    PreconditionFailed,
    as_domain_error,
)
from api.schema import Operation, described_by, document
from api.tokens import bearer_of
from auterity.kernel.access import Actor
from auterity.kernel.errors import (
    DomainError,
    FieldProblem,
    InvalidInput,
    RevisionConflict,
    TemporarilyUnavailable,
)

log = structlog.get_logger(__name__)

_Body = TypeVar("_Body")

_REVISION = re.compile(r'"(\d{1,18})(?:-[0-9a-f]+)?"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view answers: a pydantic model (or plain JSON) and a status; or a whole response of bytes."""

    body: Any
    status: int = 200
    headers: dict[str, str] | None = None
    sparse: bool = False  # leave out the keys that were not set
    media: str | None = None  # what an already written body (bytes) is; the view's renderer sends it as it stands
    cookies: tuple[Cookie, ...] = ()
    later: Callable[[Response], Later] | None = None  # what has to happen first, and how the response is finished then
    revision: int | None = None  # the revision that the body shows, which `If-Match` may name when it is changed
    beside: dict[str, Any] | None = None  # what an envelope shows beside the body, such as which page of a list it is


@dataclass(frozen=True, slots=True)
class Call(Generic[_Body]):
    """A request that passed the door: who asks, the validated body and query, the path's ids."""

    actor: Actor
    body: _Body
    query: Any
    request: Request


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token or API key>`, or `X-API-Key`; one query proves what is behind it."""

    def authenticate(self, request: Request) -> tuple[Actor, str] | None:
        bearer = bearer_of(request._request)
        return (bearer.actor(), bearer.token) if bearer is not None else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SignedIn(BasePermission):
    """Deny by default: a living login, and what the operation declares that it needs. The services ask once more."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, Actor):
            raise NotAuthenticated
        verb = "get" if request.method == "HEAD" else (request.method or "").lower()
        if hasattr(view, verb):  # Else it is told that the address does not take the method.
            needs.check(request.user, needs.needs_of(view, verb))
        return True


class WordsRefusals(APIView):
    """A view whose refusals are said in its dialect's envelope."""

    dialect: ClassVar[Dialect]
    content_negotiation_class: type[BaseContentNegotiation] = ByPreference

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return self._answer_problem

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are is no secret: it is in the OpenAPI document."""
        answer = HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})
        del answer["Content-Type"]
        return cast("Response", answer)  # Without a body there is nothing to render.

    def _answer_problem(self, error: Exception, context: dict[str, Any]) -> Response:
        problem = as_domain_error(error)
        if problem is None:
            log.exception("request_crashed", path=self.request.path)
            problem = Crashed()
        worded = self.dialect.word(self.request, problem)
        headers = dict(worded.headers)
        if worded.status == 405:
            headers["Allow"] = ", ".join(self.allowed_methods)
        return Response(worded.body, status=worded.status, headers=headers)


class DialectView(WordsRefusals):
    """Base of every view. A dialect's own base class sets `dialect`; `public` views take no token and ignore a bad one."""

    public: ClassVar[bool] = False
    json_types: ClassVar[bool] = False  # a JSON body's numbers, truth values and times are held to their own types
    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]
    authentication_classes = [BearerAuthentication]
    permission_classes = [SignedIn]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Describe the operations of the class in the OpenAPI document, worded by its dialect."""
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "dialect"):
            document(cls, cls.dialect, public=cls.public)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._open else super().get_authenticators()

    def get_permissions(self) -> Any:
        return [] if self._open else super().get_permissions()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A public view knows nobody by cookie, unless it asks `api.logins` for that."""
        super().initial(request, *args, **kwargs)
        if self.dialect.cookies and not self._open:
            csrf.check(request._request)

    def shown(self, body: Any) -> Any:
        """A successful answer as this client knows it. For a dialect whose editions differ."""
        return body

    def enveloped(self, body: Any, says: str, beside: dict[str, Any]) -> Any:
        """A successful answer as it is sent. For a dialect that sends answers in an envelope; `says` is a sentence for people."""
        return body

    @classmethod
    def documented(cls, answer: Any) -> Any:
        """The shape of a successful answer as it is sent, for the OpenAPI document."""
        return answer

    @property
    def _open(self) -> bool:
        asked = self.request  # The OpenAPI generator asks without one.
        return self.public or (asked is not None and asked.method == "OPTIONS")


def operation(
    *,
    summary: str,
    answers: dict[int, Any],
    body: type[BaseModel] | None = None,
    raw_body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    raises: Sequence[type[DomainError]] = (),
    creates: bool = False,
    whole: bool = False,
    conditional: bool = False,
    description: str = "",
    says: str = "",
    id: str = "",
    needs: Needs | None = None,
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Declare a view method: what it takes, answers and refuses. The declaration is enforced and is the documentation.

    `needs` is what the caller must hold (`api.needs`); without it nobody gets in, and the product does not start.
    `creates` makes the method honour `Idempotency-Key`: the same key and body within 24 hours get the first answer.
    `raw_body` only documents the body; the method reads its bytes itself.
    A GET that answers an object or a list takes `?fields=`, unless its answer makes sense `whole` only.
    `conditional` documents `If-Match`; the method asks for it by `precondition`.
    `says` is what a dialect whose answers hold a sentence for people puts there.
    `id` is the operation's name in the OpenAPI document, else made of the class and the verb.
    """

    choosable = None if whole else fields.choosable(answers)

    def declare(method: Callable[..., Answer]) -> Callable[..., Response]:
        @wraps(method)
        def handle(view: DialectView, request: Request, **ids: Any) -> Response:
            given = _query(request) if query is not None or choosable is not None else {}
            call = Call(
                actor=cast("Actor", request.user),  # A public view's is None, and it does not look.
                body=_body(request, body, exact=view.json_types),
                query=query.model_validate(given) if query is not None else None,
                request=request,
            )
            chosen = _chosen(view, request, choosable, given)
            key = request.headers.get("Idempotency-Key", "") if creates and isinstance(call.actor, Actor) else ""
            if key:
                response = once(call.actor, request, key, lambda: _respond(method(view, call, **ids)))
                return _shown(view, response, choosable, chosen, says)
            answer = method(view, call, **ids)
            response = _shown(view, _respond(answer), choosable, chosen, says)
            if answer.later is not None:
                answer_later(request._request, response, answer.later(response))
            return response

        about = described_by(method, description)
        tag = method.__module__.rpartition(".")[2]
        declared = Operation(
            summary, about, answers, body or raw_body, query, raises, creates, id, tag, choosable, conditional, needs
        )
        handle.operation = declared  # type: ignore[attr-defined]
        return handle

    return declare


def _query(request: Request) -> dict[str, Any]:
    """The query's parameters. A NUL, which PostgreSQL cannot compare with, is refused here once for all of them."""
    given = {name: values[-1] for name, values in request.query_params.lists()}
    unusable = [FieldProblem(name, "This holds a NUL character.", "format") for name in given if "\x00" in given[name]]
    if unusable:
        raise InvalidInput(unusable)
    return given


def _body(request: Request, model: type[BaseModel] | None, *, exact: bool) -> Any:
    if model is None:
        return None
    if isinstance(request.data, QueryDict):  # A form, where a view takes one.
        return model.model_validate(_form(request.data))
    if not isinstance(request.data, dict):
        raise MalformedBody("The request body must be a JSON object.")
    problems = list(mistyped(model, request.data)) if exact else []
    if problems:
        raise InvalidInput(problems)
    return model.model_validate(request.data)


def _form(given: QueryDict) -> dict[str, Any]:
    """Its text fields; of one given more than once the last counts."""
    texts = {name: value for name, value in given.dict().items() if isinstance(value, str)}
    if any("\x00" in each for pair in texts.items() for each in pair):
        raise MalformedBody("The request body holds a NUL character.")
    return texts


def _chosen(
    view: DialectView, request: Request, choosable: fields.Choosable | None, given: dict[str, str]
) -> list[str] | None:
    """The keys that `?fields=` asks for, by the names that this client knows; None for all."""
    asked = given.get(fields.PARAMETER, "")
    if choosable is None or not asked or request.method not in ("GET", "HEAD"):
        return None
    return fields.chosen(asked, view.shown(dict.fromkeys(choosable.names)))


def _shown(
    view: DialectView, response: Any, choosable: fields.Choosable | None, chosen: list[str] | None, says: str
) -> Response:
    if isinstance(response, Response) and not isinstance(response.data, bytes):
        response.data = view.shown(response.data)
        if choosable is not None and chosen is not None and response.status_code == 200:
            response.data = choosable.cut(response.data, chosen)
        if response.status_code != 204:
            response.data = view.enveloped(response.data, says, getattr(response, "beside", None) or {})
    return cast("Response", response)


@contextmanager
def precondition(request: Request) -> Iterator[int | None]:
    """The revision that `If-Match` names, for the change inside to insist on; None where any will do.

    Raises `PreconditionFailed` where it names none of ours, and where the change inside raises `RevisionConflict`.
    """
    asked = request.headers.get("If-Match", "").strip()
    if not asked or asked == "*":
        yield None
        return
    # Of several the newest: revisions only rise, so no older one can be the stored one once the client has seen that.
    known = [int(each[1]) for part in asked.split(",") if (each := _REVISION.fullmatch(part.strip()))]
    if not known:
        raise PreconditionFailed
    try:
        yield max(known)
    except RevisionConflict as conflict:
        raise PreconditionFailed(**conflict.details) from conflict


def _respond(answer: Answer) -> Any:
    if isinstance(answer.body, HttpResponseBase):  # Bytes, which no renderer touches.
        return answer.body
    body = (
        answer.body.model_dump(mode="json", by_alias=True, exclude_unset=answer.sparse)
        if isinstance(answer.body, BaseModel)
        else answer.body
    )
    response = Response(body, status=answer.status, headers=answer.headers, content_type=answer.media)
    for cookie in answer.cookies:
        cookie.put(response)
    response.revision = answer.revision  # type: ignore[attr-defined]  # For the ETag; see `api.caching`.
    response.beside = answer.beside  # type: ignore[attr-defined]
    return response


def no_such_path(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 404 handler: worded by the dialect whose prefix the path has."""
    return said(request, NoSuchPath())


def crashed(request: HttpRequest) -> HttpResponse:
    """Django's 500 handler, for what broke outside a view. Called while the exception is handled."""
    error = as_domain_error(broke) if isinstance(broke := sys.exc_info()[1], Exception) else None
    return said(request, error if isinstance(error, TemporarilyUnavailable) else Crashed())


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's 400 and 403 handler, such as for a host name that is not ours."""
    return said(
        request, (as_domain_error(exception) if exception else None) or MalformedBody("The request was refused.")
    )


def said(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A refusal outside a view, in the envelope of the dialect of the path's prefix and in the type that was asked for."""
    dialect = DIALECTS.of_path(request.path_info) or next(iter(DIALECTS))
    worded = dialect.word(request, error)
    media = preferred(request, dialect.media) or dialect.media[0]
    return HttpResponse(orjson.dumps(worded.body), status=worded.status, headers=worded.headers, content_type=media)
