"""Any server that speaks OpenAI's chat completions: OpenAI itself, vLLM, Ollama's /v1, llama.cpp, gateways."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from engine.ports import Completion, FunctionCall, PortFailure, Prompt, Rejected, TimedOut, Unavailable, Unknown, Usage
from integrations import egress, http
from integrations.answers import NotTheAnswer, answer_schema, instruction, read_answer, wants_data
from integrations.json_api import JsonApi, refusal_of
from integrations.registry import provider

if TYPE_CHECKING:
    from openai import OpenAI

OFFICIAL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4o-mini"
_BUSY = frozenset({408, 409, 425, 429})
_SCHEMA_REFUSED = frozenset({400, 422})


class Config(BaseModel):
    api_key: SecretStr = SecretStr("")
    base_url: str = ""
    default_model: str = ""
    key_setting: str = "OPENAI_API_KEY"  # what to look at when the server refuses
    url_setting: str = "OPENAI_BASE_URL"


@lru_cache(maxsize=32)
def _sdk(api_key: SecretStr, base_url: str) -> OpenAI:
    """One SDK client a key and server. The SDK takes two seconds to import, so nobody pays who does not use it."""
    from openai import OpenAI

    return OpenAI(
        api_key=api_key.get_secret_value() or "none",  # Local servers ask for none; the SDK insists on one.
        base_url=base_url,
        http_client=http.client(),
        max_retries=0,  # The engine retries, with its own record of every attempt.
    )


@provider("llm", "openai-compatible", title="OpenAI or compatible", config=Config)
class OpenAiCompatible:
    """`LlmPort` over chat completions. Costs are left at 0: prices are the `ai` app's business."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._base_url = config.base_url or OFFICIAL
        self._name = "openai" if self._base_url == OFFICIAL else "openai-compatible"

    def complete(self, prompt: Prompt, *, timeout: float) -> Completion:
        """One answer. Raises Rejected, or Unavailable with the server's `retry_after` seconds in its details."""
        sdk = _sdk(self._config.api_key, self._base_url)
        deadline = egress.Deadline(timeout)
        started = time.perf_counter()
        answer = self._answer(sdk, prompt, deadline)
        text = self._text_of(answer)
        usage = self._usage(prompt, answer, text, (time.perf_counter() - started) * 1000)
        call = _function_call(answer)
        return Completion(
            text=text,
            data=None if call else self._data(prompt, answer, text),
            usage=usage,
            finish_reason="function_call" if call else "length" if _cut(answer) else "stop",
            function_call=call,
        )

    def models(self, *, timeout: float) -> list[str]:
        """The ids of the models that the server offers. Raises Rejected, Unavailable or TimedOut."""
        key = self._config.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        reply = JsonApi(self._base_url.rstrip("/"), headers).get("/models", timeout=timeout)
        listed = reply.body.get("data")
        if not reply.ok:
            raise refusal_of("The AI service", reply, "", sent=False)
        if not isinstance(listed, list):
            raise self._not_openai()
        return [each["id"] for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)]

    def _answer(self, sdk: OpenAI, prompt: Prompt, deadline: egress.Deadline) -> Any:
        """With the schema as a parameter first; a server that refuses it gets the schema in words, once."""
        if not wants_data(prompt):
            return self._ask(sdk, prompt, deadline, with_schema=False)
        try:
            return self._ask(sdk, prompt, deadline, with_schema=True)
        except Rejected as refusal:
            if refusal.details.get("status") not in _SCHEMA_REFUSED:
                raise
            return self._ask(sdk, prompt, deadline, with_schema=False)

    def _ask(self, sdk: OpenAI, prompt: Prompt, deadline: egress.Deadline, *, with_schema: bool) -> Any:
        import openai

        if deadline.left() <= 0:
            raise TimedOut("The AI service did not answer in time.")
        try:
            return sdk.chat.completions.create(
                **self._request(prompt, with_schema=with_schema), timeout=deadline.left()
            )
        except openai.APIStatusError as error:
            raise self._refusal(error.status_code, error.body, error.response.headers, self._model(prompt)) from None
        except (openai.OpenAIError, PortFailure) as error:
            raise self._lost(error) from error
        except (AssertionError, RecursionError, ValueError) as error:  # What the SDK raises on what it cannot read.
            raise self._not_openai() from error

    def _request(self, prompt: Prompt, *, with_schema: bool) -> dict[str, Any]:
        system = instruction(prompt, spell_schema=not with_schema)
        messages = [{"role": "system", "content": system}] if system else []
        request: dict[str, Any] = {
            "model": self._model(prompt),
            "messages": [*messages, {"role": "user", "content": _content(prompt)}],
        }
        if prompt.temperature is not None:
            request["temperature"] = prompt.temperature
        if prompt.max_tokens is not None:
            # OpenAI's newer models know only the new name, most compatible servers only the old one.
            request["max_completion_tokens" if self._name == "openai" else "max_tokens"] = prompt.max_tokens
        if prompt.functions:
            # As tools: compatible servers know functions by this name only, and OpenAI's newest models too.
            request["tools"] = [{"type": "function", "function": dict(each)} for each in prompt.functions]
            request["parallel_tool_calls"] = False
            request["tool_choice"] = _choice(prompt.function_call)
        if with_schema:
            schema = {"name": "answer", "schema": answer_schema(prompt), "strict": False}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request

    def _model(self, prompt: Prompt) -> str:
        return prompt.model or self._config.default_model or DEFAULT_MODEL

    def _text_of(self, answer: Any) -> str:
        """The SDK does not look whether an answer has the form it says: whatever follows relies on what is looked at here."""
        choices = getattr(answer, "choices", None)
        first = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(first, "message", None)
        content = getattr(message, "content", 0)
        if not isinstance(content, str | None):
            raise self._not_openai()
        if getattr(message, "refusal", None) or getattr(first, "finish_reason", None) == "content_filter":
            raise Rejected("The AI model refused to answer this prompt.", reason="refusal")
        return content or ""

    def _data(self, prompt: Prompt, answer: Any, text: str) -> Any:
        if not wants_data(prompt):
            return None
        try:
            return read_answer(prompt, text)
        except NotTheAnswer as problem:
            cut = _cut(answer)
            why = "it was cut off at max_tokens" if cut else str(problem)
            failure = Rejected if cut else Unavailable
            raise failure(
                f"The AI model did not answer with the data that was asked for: {why}.", reason="not_json"
            ) from None

    def _usage(self, prompt: Prompt, answer: Any, text: str, duration_ms: float) -> Usage:
        """As the server counted, else four characters a token."""
        counted = getattr(answer, "usage", None)
        asked = _count(getattr(counted, "prompt_tokens", None))
        written = _count(getattr(counted, "completion_tokens", None))
        model = getattr(answer, "model", None)
        return Usage(
            provider=self._name,
            model=(isinstance(model, str) and model[:200]) or self._model(prompt),
            prompt_tokens=asked if asked is not None else -(-(len(prompt.system) + len(prompt.text)) // 4),
            completion_tokens=written if written is not None else -(-len(text) // 4),
            duration_ms=duration_ms,
        )

    def _refusal(self, status: int, body: Any, headers: Mapping[str, str], model: str) -> PortFailure:
        if status in (401, 403):
            return Rejected(
                f"The AI service refused the key ({status}); check {self._config.key_setting}.", status=status
            )
        if status in _BUSY or status >= 500:
            wait = _retry_after(headers)
            details = {"status": status} | ({"retry_after": wait} if wait is not None else {})
            return Unavailable(f"The AI service is busy or down ({status}).", **details)
        said = self._said(body)
        return Rejected(f"The AI service refused the request for model {model!r} ({status}){said}", status=status)

    def _said(self, body: Any) -> str:
        """The server's own sentence, which may quote what it was sent: the key is taken out."""
        message = body.get("message") if isinstance(body, dict) else None
        if not isinstance(message, str):
            return "."
        key = self._config.api_key.get_secret_value()
        plain = " ".join((message.replace(key, "***") if key else message).split())
        return f": {plain[:300]}"

    def _lost(self, error: Exception) -> PortFailure:
        """Our transport's failure, bare or inside the SDK's. An AI call may be repeated, so Unknown is not kept."""
        cause = error if isinstance(error, PortFailure) else error.__cause__
        if isinstance(cause, Unknown):
            late = cause.details.get("reason") == "timeout"
            return (TimedOut if late else Unavailable)(
                "The AI service did not answer in time." if late else "The AI service broke off."
            )
        if isinstance(cause, PortFailure):
            return cause
        return Unavailable("The AI service cannot be reached.")

    def _not_openai(self) -> Rejected:
        sentence = f"The server's answer is not a chat completion; check {self._config.url_setting}."
        return Rejected(sentence, reason="not_openai")


def _content(prompt: Prompt) -> str | list[dict[str, Any]]:
    """The user's message: its text, and after it each picture as a data URL."""
    if not prompt.images:
        return prompt.text
    pictures = [f"data:{each.media_type};base64,{base64.b64encode(each.content).decode()}" for each in prompt.images]
    return [
        {"type": "text", "text": prompt.text},
        *({"type": "image_url", "image_url": {"url": each}} for each in pictures),
    ]


def _choice(function_call: str) -> str | dict[str, Any]:
    if function_call in ("none", "auto"):
        return function_call
    return {"type": "function", "function": {"name": function_call}}


def _count(said: Any) -> int | None:
    """Tokens, where the server gives a number that there may be."""
    return said if type(said) is int and 0 <= said < 10**12 else None


def _cut(answer: Any) -> bool:
    return bool(getattr(answer.choices[0], "finish_reason", None) == "length")


def _function_call(answer: Any) -> FunctionCall | None:
    """The first function the model asks for, as a tool or, by servers of the older form, as a function call."""
    message = answer.choices[0].message
    tools = getattr(message, "tool_calls", None)
    called = (
        getattr(tools[0], "function", None)
        if tools and isinstance(tools, list)
        else getattr(message, "function_call", None)
    )
    name, arguments = getattr(called, "name", None), getattr(called, "arguments", None)
    return FunctionCall(name, arguments if isinstance(arguments, str) else "{}") if isinstance(name, str) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from seconds or from a date; None when not said."""
    said = headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
