"""`ai-image-analysis`: one question about a picture (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field

from engine.expressions import contains_template
from engine.node import Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import HttpCall, Image, Prompt, Rejected, Unavailable
from engine.samples import of_schema
from nodes.formats.content import Unreadable
from nodes.formats.pictures import MAX_BYTES, Picture, read_picture
from nodes.settings.asking import answered, complete, model_port
from nodes.settings.checks import Problems
from nodes.settings.text import Text

_DESCRIBE = "Describe what the picture shows."


class Config(NodeConfig):
    image: Text = Field(description="The picture: a stored file's id, or its address (https://…).")
    prompt: Text = Field(default=_DESCRIBE, description="What is asked about the picture.")
    system: Text = Field(default="", description="Who the model is to be, and rules it is to keep.")
    model: Text = Field(default="", description="The model's name; it must be one that sees.")
    connection_id: Text | None = Field(
        default=None, description="A stored connection of type openai or ollama; the server's own model if not given."
    )
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000, description="How long the answer may get.")
    response_schema: dict[str, Any] | None = Field(
        default=None, description="A JSON Schema; the answer is then an object of that form, in data."
    )


def check(config: Config) -> Problems:
    image = config.image.strip()
    if not image:
        return [("image", "Name the picture: a stored file's id, or its address.")]
    if not contains_template(image) and not (_is_address(image) or _is_id(image)):
        return [("image", "This is neither a stored file's id nor an address that begins with https://.")]
    return []


def sample(config: Config) -> dict[str, Any]:
    """An answer of the form that is asked for; no picture was looked at."""
    return {
        "text": "This is a sample answer; no model was asked.",
        "data": None if config.response_schema is None else of_schema(config.response_schema),
        "model": config.model or "sample",
        "provider": "sample",
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "cost_estimate": 0.0,
        "image": {"format": "png", "width": 1, "height": 1},
    }


@node(
    "ai-image-analysis",
    title="AI image",
    config=Config,
    effect=Effect.REPEATABLE,
    default_timeout=120.0,
    check=check,
    sample=sample,
    asks_ai=True,
)
def run(config: Config, step: Step) -> Outcome:
    """Asks a model that sees about one picture."""
    try:
        picture = read_picture(_content(config.image.strip(), step))
    except Unreadable as error:
        return Failed("rejected", error.message)
    prompt = Prompt(
        key=step.key,
        text=config.prompt or _DESCRIBE,
        system=config.system,
        model=config.model,
        max_tokens=config.max_tokens,
        schema=config.response_schema,
        images=(Image(picture.media_type, picture.content),),
    )
    completion = complete(step, model_port(step, config.connection_id), [prompt])
    wanted = "response_schema" if config.response_schema is not None else ""
    return answered(completion, wanted, image=_about(picture))


def _content(image: str, step: Step) -> bytes:
    """The picture's bytes. Raises Rejected or Unavailable."""
    if not _is_address(image):
        return step.ports.files.read(image, max_bytes=MAX_BYTES).content
    answer = step.ports.http.call(HttpCall(step.key, "GET", image), timeout=step.timeout / 2)
    if answer.status == 200:
        return answer.body
    again = answer.status >= 500 or answer.status == 429
    raise (Unavailable if again else Rejected)(
        f"{urlsplit(image).hostname} answered {answer.status} instead of the picture.", status=answer.status
    )


def _about(picture: Picture) -> dict[str, Any]:
    return {"format": picture.format, "width": picture.width, "height": picture.height}


def _is_address(text: str) -> bool:
    return text.lower().startswith(("https://", "http://"))


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
