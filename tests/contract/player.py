"""Plays one operation of a contract against the served product and says what is not as documented."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.contract.caller import Absent, Answer, Caller, Unplayable
from tests.contract.contracts import Contract, Operation, served
from tests.contract.stages import Stage
from tests.contract.world import World

_LISTS = ("workflows", "executions", "templates")
_NO_DOOR = {"/docs", "/redoc", "/openapi.json"}  # Pages beside the API, which carry none of its headers.


@dataclass
class Played:
    """What one operation came to in one edition. `unplayed` is what cannot be played or provoked here, and why."""

    plays: int = 0
    refusals: int = 0
    unplayed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Player:
    """Plays one contract in one edition."""

    world: World
    contract: Contract
    edition: str

    def play(self, operation: Operation) -> Played:
        """Every documented request and every refusal that can be provoked."""
        played = Played()
        for request in operation["plays"]:
            try:
                played.wrong += self._tried(operation, request, self._differs)
                played.plays += 1
            except Absent as why:
                played.unplayed.append(f"{_title(request)}: {why}")
        for refusal in operation.get("refusals", ()):
            lacking = "needs" in refusal and self.contract.operations[refusal["needs"]]["call"] not in served()
            if "unplayed" in refusal or lacking:
                played.unplayed.append(f"{_title(refusal)}: {refusal.get('unplayed', 'needs what is not served')}")
                continue
            try:
                played.wrong += self._tried(operation, refusal, self._not_refused)
                played.refusals += 1
            except Absent as why:
                played.unplayed.append(f"{_title(refusal)}: {why}")
        return played

    def _tried(self, operation: Operation, request: Operation, judge: Any) -> list[str]:
        try:
            self.world.client.cookies.clear()
            stage = Stage(self.world, self.world.caller("admin"))
            if "stage" in request:
                stage.set(request["stage"])
            answer = self._sent(stage, operation, request)
            wrong = [*self._headers_wrong(answer), *judge(stage, operation, request, answer)]
        except Absent:
            raise
        except Unplayable as why:
            wrong = [f"cannot be set up: {why}"]
        return [f"{_title(request)}: {each}" for each in wrong]

    def _sent(self, stage: Stage, operation: Operation, request: Operation) -> Answer:
        method, path = operation["call"].split()
        caller = _caller(stage, request.get("as", "nobody" if operation.get("open") else "admin"))
        more: dict[str, Any] = {}
        if "raw" in request:
            stage.known["raw"] = request["raw"]
            more["content"] = request["raw"]
        elif "form" in request or "upload" in request:
            more["data"] = filled(stage, request.get("form", {}))
        elif "body" in request:
            more["json"] = filled(stage, request["body"])
        if "upload" in request:
            sent = request["upload"]
            more["files"] = {"file": (sent["filename"], sent["file"].encode())}
        if "query" in request:
            query = filled(stage, request["query"])
            more["params"] = {
                name: str(each).lower() if isinstance(each, bool) else each for name, each in query.items()
            }
        headers = {"API-Version": self.edition} if self.edition else {}
        headers |= filled(stage, request.get("headers", {}))
        if "raw" in request:
            headers.setdefault("Content-Type", "application/json")
        return caller.call(method, _address(stage, path, request.get("ids", "")), headers=headers, **more)

    def _headers_wrong(self, answer: Answer) -> Iterator[str]:
        path = answer.request.url.path
        if path in _NO_DOOR:
            return
        if self.edition and path.startswith("/api/") and answer.headers.get("API-Version") != self.edition:
            yield f"API-Version is {answer.headers.get('API-Version')}"
        if "X-Request-ID" not in answer.headers:
            yield "there is no X-Request-ID"

    def _differs(self, stage: Stage, operation: Operation, request: Operation, answer: Answer) -> Iterator[str]:
        """What is not as documented in an answer that must be a success."""
        usual = operation.get("statuses", {}).get(self.edition, operation.get("status", 200))
        expected = request.get("status", usual)
        if answer.status_code != expected:
            yield f"{answer.status_code}, not {expected}: {answer.text[:300]}"
            return
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        if expected in (204, 302):
            if answer.content:
                yield f"{expected} with a body"
            return
        if media != operation.get("media", "application/json") and not media.endswith("+json"):
            yield f"it is {media}"
        yield from (f"there is no {each}" for each in request.get("headers_too", ()) if each not in answer.headers)
        kind = request.get("answer", operation.get("answer"))
        if kind is None:
            return
        body = answer.json()
        raw = request.get("raw_answer", operation.get("raw_answer", self.contract.success is None))
        yield from self.contract.kinds.wrong(body, self._as_answered(kind, raw, operation.get("meta")))
        if self._flat and isinstance(body, dict) and "definition" in body and {"nodes", "edges"} & set(body):
            yield "the graph is also outside of its definition"
        told: Any = body if raw or not isinstance(body, dict) else body.get("data")
        for name, value in filled(stage, request.get("echoes", {})).items():
            found = told.get(name)
            if found != value:
                yield f"$.{name} is {found!r:.80}, not {value!r:.80}"
        if "some" in request and not (told if request["some"] == "data" else told[request["some"]]):
            yield f"$.{request['some']} is empty"

    def _as_answered(self, kind: Any, raw: bool, meta: Any) -> Any:
        """A type as it is sent: in this edition, in the dialect's envelope."""
        plain = self._as_of(self.contract.kinds.keys_of(kind))
        if raw:
            return plain
        around = self.contract.listing if isinstance(plain, list) else self.contract.success
        return put(around, "$answer", plain) | ({"meta": meta} if meta else {})

    def _as_of(self, kind: Any) -> Any:
        """A type as the legacy edition has it: the graph only in its definition, `result` for `output_data`."""
        if not self._flat or not isinstance(kind, Mapping):
            return kind
        old = {}
        for name, each in kind.items():
            if name in ("nodes", "edges") and "definition" in kind:
                continue
            if name in _LISTS and isinstance(each, list):
                each = [self._as_of(self.contract.kinds.keys_of(each[0]))]
            old["result" if name == "output_data" else name] = each
        return old

    @property
    def _flat(self) -> bool:
        return bool(self.contract.editions[self.edition].get("flat"))

    def _not_refused(self, stage: Stage, operation: Operation, refusal: Operation, answer: Answer) -> Iterator[str]:
        """What is not as documented in an answer that must be a refusal. `fixed`: its status is the same in every edition."""
        about = self.contract.editions[self.edition]
        expected, code = refusal["status"], refusal["code"]
        if code.startswith("VAL_") and not refusal.get("fixed"):
            expected = about.get("invalid", expected)
        if answer.status_code != expected:
            yield f"{answer.status_code}, not {expected}: {answer.text[:300]}"
            return
        body = answer.json()
        named = about["codes"][code] if "codes" in about else code
        yield from self.contract.kinds.wrong(body, put(about["refusal"], "$code", f"enum({named})"))
        reason = body.get("error")
        if isinstance(reason, dict):
            if reason.get("request_id", answer.headers["X-Request-ID"]) != answer.headers["X-Request-ID"]:
                yield "request_id is not X-Request-ID"
            if body.get("detail", reason["message"]) != reason["message"]:
                yield "detail is not the message"
            if self.edition == self.contract.first_edition:
                lacking = set(refusal.get("details", ())) - _names(reason.get("details", {}))
                yield from (f"details.{each} is missing" for each in sorted(lacking))
        if answer.status_code == 401 and answer.headers.get("WWW-Authenticate") != "Bearer":
            yield "there is no WWW-Authenticate"
        if answer.status_code in (429, 503) and not answer.headers.get("Retry-After", "").isdecimal():
            yield "there is no Retry-After"


def _names(details: Any) -> set[str]:
    """What a refusal's details are about: the keys of an object, or `field` of each in a list."""
    return set(details) if isinstance(details, dict) else {each.get("field") for each in details}


def _title(request: Operation) -> str:
    parts = [request.get("name", ""), str(request.get("code", "")), *(request.get(each, "") for each in ("as", "ids"))]
    return " ".join(part for part in parts if part) or "as documented"


def _address(stage: Stage, path: str, ids: str) -> str:
    """The path with its ids: the stage's own, ones that nobody has, or another organization's."""
    source = Stage(stage.world, stage.world.caller("other")) if ids == "foreign" else stage
    steps = []
    for step in path.split("/"):
        if not step.startswith("{"):
            steps.append(step)
        elif ids == "unknown" and step != "{node_id}":
            steps.append(str(uuid.uuid4()))
        else:
            steps.append(str(source.value(step[1:-1])))
    return "/".join(steps)


def _caller(stage: Stage, who: str) -> Caller:
    client = stage.world.client
    if who == "admin":
        return stage.who
    if who in ("member", "viewer"):
        return stage.world.caller(who)
    if who == "fresh_access":
        return Caller(client, stage.value("login")["access_token"])
    if who == "fresh_refresh":
        return Caller(client, stage.value("refresh_token"))
    if who == "logged_out":
        caller = Caller(client, stage.value("login")["access_token"])
        caller.call("POST", "/api/auth/logout", json={})
        return caller
    if who == "browser":
        return stage.browser()
    tokens = {"nobody": "", "garbage": "not-a-token", "expired": stage.world.people["expired"]}
    return Caller(client, tokens[who])


def filled(stage: Stage, value: Any) -> Any:
    """Each `$name` replaced by the stage's value."""
    if isinstance(value, str) and value.startswith("$"):
        return stage.value(value[1:])
    if isinstance(value, Mapping):
        return {name: filled(stage, each) for name, each in value.items()}
    return [filled(stage, each) for each in value] if isinstance(value, list) else value


def put(kind: Any, name: str, value: Any) -> Any:
    """A type with another one in a named place of it."""
    if isinstance(kind, Mapping):
        return {key: put(each, name, value) for key, each in kind.items()}
    return value if kind == name else kind
