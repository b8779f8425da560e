"""Plays one operation of the contract against the served product and says what is not as documented."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.contract.caller import Absent, Answer, Caller, Unplayable
from tests.contract.kinds import Kinds
from tests.contract.stages import Stage, World

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "auterity.yaml").read_text())
EDITIONS: list[str] = CONTRACT["editions"]
OPERATIONS: dict[str, dict[str, Any]] = {each["id"]: each for each in CONTRACT["operations"]}
KINDS = Kinds(CONTRACT["types"])
LEGACY, NEWEST = "2023-12-01", "2025-08-08"
_LISTS = ("workflows", "executions", "templates")


@dataclass
class Played:
    """What one operation came to in one edition. `unplayed` is what cannot be played or provoked here, and why."""

    plays: int = 0
    refusals: int = 0
    unplayed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def is_served(world: World, operation: Mapping[str, Any]) -> bool:
    method, path = operation["call"].split()
    if path.startswith("/api/"):
        return operation["call"] in world.served
    return world.client.request(method, path).status_code == 200


def play(world: World, operation: Mapping[str, Any], edition: str) -> Played:
    """Every documented request and every refusal that can be provoked, in one edition."""
    played = Played()
    for request in operation["plays"]:
        try:
            played.wrong += _tried(world, operation, request, edition, _differs)
            played.plays += 1
        except Absent as why:
            played.unplayed.append(f"{_title(request)}: {why}")
    for refusal in operation.get("refusals", ()):
        lacking = "needs" in refusal and not is_served(world, OPERATIONS[refusal["needs"]])
        if "unplayed" in refusal or lacking:
            played.unplayed.append(f"{_title(refusal)}: {refusal.get('unplayed', 'needs what is not served')}")
            continue
        played.refusals += 1
        played.wrong += _tried(world, operation, refusal, edition, _not_refused)
    return played


def _tried(world: World, operation: Any, request: Any, edition: str, judge: Any) -> Iterator[str]:
    try:
        stage = Stage(world, world.caller("admin"))
        if "stage" in request:
            stage.set(request["stage"])
        answer = _sent(stage, operation, request, edition)
        wrong = [*_headers_wrong(answer, edition), *judge(stage, operation, request, edition, answer)]
    except Absent:
        raise
    except Unplayable as why:
        wrong = [f"cannot be set up: {why}"]
    for each in wrong:
        yield f"{_title(request)}: {each}"


def _title(request: Mapping[str, Any]) -> str:
    parts = [request.get("name", ""), str(request.get("code", "")), *(request.get(each, "") for each in ("as", "ids"))]
    return " ".join(part for part in parts if part) or "as documented"


def _sent(stage: Stage, operation: Mapping[str, Any], request: Mapping[str, Any], edition: str) -> Answer:
    method, path = operation["call"].split()
    caller = _caller(stage, request.get("as", "nobody" if operation.get("open") else "admin"))
    more: dict[str, Any] = {}
    if "raw" in request:
        stage.known["raw"] = request["raw"]
        more["content"] = request["raw"]
    elif "body" in request:
        more["json"] = filled(stage, request["body"])
    if "query" in request:
        query = filled(stage, request["query"])
        more["params"] = {name: str(each).lower() if isinstance(each, bool) else each for name, each in query.items()}
    headers = {"API-Version": edition, **filled(stage, request.get("headers", {}))}
    if "raw" in request:
        headers["Content-Type"] = "application/json"
    return caller.call(method, _address(stage, path, request.get("ids", "")), headers=headers, **more)


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
    if who == "viewer":
        return stage.world.caller("viewer")
    if who == "fresh_access":
        return Caller(client, stage.value("login")["access_token"])
    if who == "fresh_refresh":
        return Caller(client, stage.value("refresh_token"))
    if who == "logged_out":
        caller = Caller(client, stage.value("login")["access_token"])
        caller.call("POST", "/api/auth/logout", json={})
        return caller
    tokens = {"nobody": "", "garbage": "not-a-token", "expired": stage.world.people["expired"]}
    return Caller(client, tokens[who])


def filled(stage: Stage, value: Any) -> Any:
    """Each `$name` replaced by the stage's value."""
    if isinstance(value, str) and value.startswith("$"):
        return stage.value(value[1:])
    if isinstance(value, Mapping):
        return {name: filled(stage, each) for name, each in value.items()}
    return [filled(stage, each) for each in value] if isinstance(value, list) else value


def _headers_wrong(answer: Answer, edition: str) -> Iterator[str]:
    path = answer.request.url.path
    if not path.startswith("/api/"):
        return
    if answer.headers.get("API-Version") != edition:
        yield f"API-Version is {answer.headers.get('API-Version')}"
    if "X-Request-ID" not in answer.headers:
        yield "there is no X-Request-ID"


def _differs(stage: Stage, operation: Any, request: Any, edition: str, answer: Answer) -> Iterator[str]:
    """What is not as documented in an answer that must be a success."""
    expected = request.get("status", operation.get("statuses", {}).get(edition, operation.get("status", 200)))
    if answer.status_code != expected:
        yield f"{answer.status_code}, not {expected}: {answer.text[:300]}"
        return
    media = answer.headers.get("Content-Type", "").partition(";")[0]
    if expected == 204:
        if answer.content:
            yield "204 with a body"
        return
    if media != operation.get("media", "application/json") and not media.endswith("+json"):
        yield f"it is {media}"
    kind = request.get("answer", operation.get("answer"))
    if kind is None:
        return
    body = answer.json()
    yield from KINDS.wrong(body, as_of(KINDS.keys_of(kind), edition))
    if edition == LEGACY and isinstance(body, dict) and "definition" in body and {"nodes", "edges"} & set(body):
        yield "the graph is also outside of its definition"
    for name, value in filled(stage, request.get("echoes", {})).items():
        if body.get(name) != value:
            yield f"$.{name} is {body.get(name)!r:.80}, not {value!r:.80}"
    if "some" in request and not body.get(request["some"]):
        yield f"$.{request['some']} is empty"


def as_of(kind: Any, edition: str) -> Any:
    """A type as the legacy edition has it: the graph only in its definition, `result` for `output_data`."""
    if edition != LEGACY or not isinstance(kind, Mapping):
        return kind
    old = {}
    for name, each in kind.items():
        if name in ("nodes", "edges") and "definition" in kind:
            continue
        if name in _LISTS and isinstance(each, list):
            each = [as_of(KINDS.keys_of(each[0]), edition)]
        old["result" if name == "output_data" else name] = each
    return old


def _not_refused(stage: Stage, operation: Any, refusal: Any, edition: str, answer: Answer) -> Iterator[str]:
    """What is not as documented in an answer that must be a refusal. `fixed`: its status is the same in every edition."""
    expected = refusal["status"]
    if edition == NEWEST and refusal["code"].startswith("VAL_") and not refusal.get("fixed"):
        expected = 422
    if answer.status_code != expected:
        yield f"{answer.status_code}, not {expected}: {answer.text[:300]}"
        return
    body = answer.json()
    code = CONTRACT["codes"][refusal["code"]] if edition == NEWEST else refusal["code"]
    if edition == LEGACY:
        yield from KINDS.wrong(body, {"error": "string", "code": f"enum({code})"})
    else:
        said = {
            "code": f"enum({code})",
            "message": "string",
            "details?": ["object"] if edition == NEWEST else "object",
            "trace_id": "string",
            "request_id": "string",
            "timestamp": "datetime",
        }
        yield from KINDS.wrong(body, {"error": said})
        if body.get("error", {}).get("request_id") != answer.headers["X-Request-ID"]:
            yield "request_id is not X-Request-ID"
    if edition == EDITIONS[0]:
        lacking = set(refusal.get("details", ())) - set(body["error"].get("details", {}))
        yield from (f"details.{each} is missing" for each in lacking)
    if answer.status_code == 401 and answer.headers.get("WWW-Authenticate") != "Bearer":
        yield "there is no WWW-Authenticate"
    if answer.status_code in (429, 503) and not answer.headers.get("Retry-After", "").isdecimal():
        yield "there is no Retry-After"
