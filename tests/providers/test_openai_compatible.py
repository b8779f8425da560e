"""The OpenAI-compatible provider against a server on loopback: as the real ones answer, and as broken ones do."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from engine.ports import Prompt, Rejected, TimedOut, Unavailable
from integrations.providers.llm.openai_compatible import Config, OpenAiCompatible
from integrations.registry import PROVIDERS

pytestmark = pytest.mark.usefixtures("loopback")

KEY = "sk-marker-secret"
PATH = "/v1/chat/completions"


@pytest.fixture
def llm(server: HTTPServer) -> OpenAiCompatible:
    config = {"api_key": KEY, "base_url": server.url_for("/v1"), "default_model": "small-1"}
    made: OpenAiCompatible = PROVIDERS.get("llm", "openai-compatible").create(config)
    return made


def completion(text: str | None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "small-1-0101",
        "choices": [choice],
        "usage": usage,
    }
    return answer | more


def prompt(**more: Any) -> Prompt:
    return Prompt(**{"key": "run/ai/0", "text": "Is it still available?"} | more)


def sent(server: HTTPServer) -> list[dict[str, Any]]:
    return [json.loads(request.data) for request, _ in server.log]


def test_text_is_asked_for_and_returned_with_its_usage(server: HTTPServer, llm: OpenAiCompatible) -> None:
    server.expect_request(PATH, method="POST").respond_with_json(completion("Yes."))
    answer = llm.complete(prompt(system="Be brief.", temperature=0.2, max_tokens=50), timeout=10)
    assert (answer.text, answer.data) == ("Yes.", None)
    usage = answer.usage
    assert (usage.provider, usage.model) == ("openai-compatible", "small-1-0101")
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost_usd) == (12, 4, 0.0)
    assert sent(server) == [
        {
            "model": "small-1",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Is it still available?"},
            ],
            "temperature": 0.2,
            "max_tokens": 50,
        }
    ]
    assert server.log[0][0].headers["Authorization"] == f"Bearer {KEY}"


def test_usage_is_estimated_when_the_server_counts_nothing(server: HTTPServer, llm: OpenAiCompatible) -> None:
    server.expect_request(PATH).respond_with_json(completion("12345678", usage=None))
    usage = llm.complete(prompt(text="x" * 41, model="other-2"), timeout=10).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (11, 2)
    assert sent(server)[0]["model"] == "other-2"


@pytest.mark.parametrize(
    "written",
    [
        '{"label": "High", "confidence": 0.9}',
        '```json\n{"label": "high", "confidence": 0.9}\n```',
        'Sure!\n{"label": " high ", "confidence": 0.9} Anything else?',
    ],
)
def test_labels_are_asked_for_by_schema_and_read_tolerantly(
    server: HTTPServer, llm: OpenAiCompatible, written: str
) -> None:
    server.expect_request(PATH).respond_with_json(completion(written))
    answer = llm.complete(prompt(task="classify", labels=["high", "low"]), timeout=10)
    assert answer.data == {"label": "high", "confidence": 0.9}
    wanted = sent(server)[0]["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"]["properties"]["label"] == {"type": "string", "enum": ["high", "low"]}


def test_fields_come_back_each_with_null_for_the_missing(server: HTTPServer, llm: OpenAiCompatible) -> None:
    server.expect_request(PATH).respond_with_json(completion('{"email": "a@b.example"}'))
    answer = llm.complete(prompt(task="extract", fields={"email": "string", "age": "integer"}), timeout=10)
    assert answer.data == {"email": "a@b.example", "age": None}
    schema = sent(server)[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["age"] == {"type": ["integer", "null"]}


@pytest.mark.parametrize("status", [400, 422])
def test_server_that_refuses_the_schema_gets_it_in_words_once(
    server: HTTPServer, llm: OpenAiCompatible, status: int
) -> None:
    def answer(request: Request) -> Response:
        if "response_format" in json.loads(request.data):
            return Response(
                '{"error": {"message": "response_format is not supported"}}', status, content_type="application/json"
            )
        return Response(json.dumps(completion('{"score": 7}')), content_type="application/json")

    server.expect_request(PATH).respond_with_handler(answer)
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    assert llm.complete(prompt(schema=schema), timeout=10).data == {"score": 7}
    first, second = sent(server)
    assert first["response_format"]["json_schema"]["schema"] == schema
    assert json.dumps(schema) in second["messages"][0]["content"]


def test_refusal_that_is_not_about_the_schema_ends_after_the_second_try(
    server: HTTPServer, llm: OpenAiCompatible
) -> None:
    server.expect_request(PATH).respond_with_json({"error": {"message": "temperature too high"}}, status=400)
    with pytest.raises(Rejected, match=r"small-1.*400.*temperature too high"):
        llm.complete(prompt(labels=["a", "b"]), timeout=10)
    assert len(server.log) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_is_rejected_and_not_repeated(server: HTTPServer, llm: OpenAiCompatible, status: int) -> None:
    server.expect_request(PATH).respond_with_json(
        {"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=status
    )
    with pytest.raises(Rejected, match="OPENAI_API_KEY") as refused:
        llm.complete(prompt(labels=["a", "b"]), timeout=10)
    assert KEY not in refused.value.message
    assert len(server.log) == 1


def test_unknown_model_is_rejected_by_name_and_without_the_key(server: HTTPServer, llm: OpenAiCompatible) -> None:
    server.expect_request(PATH).respond_with_json({"error": {"message": f"no model for {KEY}"}}, status=404)
    with pytest.raises(Rejected, match=r"model 'nope' \(404\): no model for \*\*\*$"):
        llm.complete(prompt(model="nope"), timeout=10)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (429, {}, None),
        (429, {"Retry-After": "soon"}, None),
        (429, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        (408, {}, None),
        (409, {}, None),
        (500, {}, None),
        (503, {"Retry-After": "1.5"}, 1.5),
        (529, {}, None),
    ],
)
def test_busy_server_is_unavailable_and_asked_once(
    server: HTTPServer, llm: OpenAiCompatible, status: int, headers: dict[str, str], wait: float | None
) -> None:
    server.expect_request(PATH).respond_with_json({"error": {"message": "busy"}}, status=status, headers=headers)
    with pytest.raises(Unavailable) as busy:
        llm.complete(prompt(), timeout=10)
    assert busy.value.details == {"status": status} | ({} if wait is None else {"retry_after": wait})
    assert len(server.log) == 1


def test_slow_server_is_timed_out(server: HTTPServer, llm: OpenAiCompatible) -> None:
    def slow(request: Request) -> Response:
        time.sleep(1)
        return Response("late")

    server.expect_request(PATH).respond_with_handler(slow)
    started = time.monotonic()
    with pytest.raises(TimedOut):
        llm.complete(prompt(), timeout=0.3)
    assert time.monotonic() - started < 0.9
    time.sleep(0.9)  # The server must be done with this request before the next test uses it.


def test_closed_port_is_unavailable(server: HTTPServer) -> None:
    closed = OpenAiCompatible(Config(base_url="http://127.0.0.1:1/v1"))
    with pytest.raises(Unavailable, match="connection refused"):
        closed.complete(prompt(), timeout=5)


def test_inner_address_is_refused_with_the_setting(server: HTTPServer, llm: OpenAiCompatible, settings) -> None:
    settings.EGRESS_ALLOW = []
    with pytest.raises(Rejected, match="AUTERITY_EGRESS_ALLOW"):
        llm.complete(prompt(), timeout=5)
    assert server.log == []


@pytest.mark.parametrize(
    "written", ["I think it is high.", "{broken", "[1, 2]", '{"label": "medium"}', '{"other": 1}', ""]
)
def test_answer_without_the_data_is_unavailable(server: HTTPServer, llm: OpenAiCompatible, written: str) -> None:
    server.expect_request(PATH).respond_with_json(completion(written))
    with pytest.raises(Unavailable, match="did not answer with the data") as garbage:
        llm.complete(prompt(labels=["high", "low"]), timeout=10)
    assert garbage.value.details == {"reason": "not_json"}


def test_answer_cut_off_is_rejected(server: HTTPServer, llm: OpenAiCompatible) -> None:
    cut = completion('{"label": "hi')
    cut["choices"][0]["finish_reason"] = "length"
    server.expect_request(PATH).respond_with_json(cut)
    with pytest.raises(Rejected, match="max_tokens"):
        llm.complete(prompt(labels=["high", "low"], max_tokens=3), timeout=10)


def test_model_that_refuses_is_rejected(server: HTTPServer, llm: OpenAiCompatible) -> None:
    refused = completion(None)
    refused["choices"][0]["message"]["refusal"] = "I cannot help with that."
    server.expect_request(PATH).respond_with_json(refused)
    with pytest.raises(Rejected, match="refused to answer"):
        llm.complete(prompt(), timeout=10)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<html>Sign in</html>", "text/html"),
        ("{not json", "application/json"),
        ('{"ok": true}', "application/json"),
        ('{"choices": []}', "application/json"),
        ("[]", "application/json"),
        ("", "application/json"),
    ],
)
def test_server_that_speaks_something_else_is_rejected(
    server: HTTPServer, llm: OpenAiCompatible, body: str, kind: str
) -> None:
    server.expect_request(PATH).respond_with_data(body, content_type=kind)
    with pytest.raises(Rejected, match="OPENAI_BASE_URL"):
        llm.complete(prompt(), timeout=10)


def test_key_is_in_no_repr(llm: OpenAiCompatible) -> None:
    assert KEY not in repr(llm) + repr(vars(llm))
