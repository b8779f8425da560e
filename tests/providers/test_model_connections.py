"""Language models by connection, pictures on the wire, and what the offline provider can say about a picture."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image as Pillow
from pytest_httpserver import HTTPServer

from engine.ports import Image, Prompt, Rejected
from integrations.connection_types import CONNECTION_TYPES
from integrations.providers.llm.offline import Config, OfflineRules

pytestmark = pytest.mark.usefixtures("loopback")

SECRET = "llm-marker-secret"
ANSWER = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "sees-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A car."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14},
}  # fmt: skip


def picture(*colours: str) -> Image:
    drawn = Pillow.new("RGB", (100 * len(colours), 50))
    for at, colour in enumerate(colours):
        drawn.paste(colour, (100 * at, 0, 100 * at + 100, 50))
    out = io.BytesIO()
    drawn.save(out, "PNG")
    return Image("image/png", out.getvalue())


def test_pictures_go_out_as_data_urls(server: HTTPServer) -> None:
    server.expect_request("/v1/chat/completions").respond_with_json(ANSWER)
    own = CONNECTION_TYPES.get("openai").create({"base_url": server.url_for("/v1")}, {"api_key": SECRET})
    image = picture("red")
    answer = own.complete(Prompt("k", "What is it?", model="sees-1", images=[image]), timeout=10)
    assert (answer.text, answer.usage.model) == ("A car.", "sees-1")
    [(request, _)] = server.log
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert json.loads(request.data)["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/png;base64,{base64.b64encode(image.content).decode()}"},
                },
            ],
        }
    ]


def test_a_refused_key_points_at_the_connection(server: HTTPServer) -> None:
    server.expect_request("/v1/chat/completions").respond_with_json({"error": {"message": "no"}}, 401)
    own = CONNECTION_TYPES.get("openai").create({"base_url": server.url_for("/v1")}, {"api_key": SECRET})
    with pytest.raises(Rejected, match="check the connection's api_key") as told:
        own.complete(Prompt("k", "Hi"), timeout=10)
    assert SECRET not in repr(told.value)


@pytest.mark.parametrize(
    ("type", "path", "body", "config"),
    [
        ("openai", "/models", {"data": [{"id": "a"}, {"id": "b"}]}, {}),
        ("ollama", "/api/tags", {"models": [{"name": "a"}, {"name": "b"}]}, {"default_model": "a"}),
    ],
)
def test_a_model_connection_can_be_tried(server: HTTPServer, type: str, path: str, body: Any, config: Any) -> None:
    server.expect_request(path).respond_with_json(body)
    credentials = {"api_key": SECRET} if type == "openai" else {}
    own = CONNECTION_TYPES.get(type).create({"base_url": server.url_for("/"), **config}, credentials)
    assert "2 models" in own.check(timeout=5)


def test_ollama_is_asked_at_its_compatible_door(server: HTTPServer) -> None:
    server.expect_request("/v1/chat/completions").respond_with_json(ANSWER)
    own = CONNECTION_TYPES.get("ollama").create({"base_url": server.url_for("/"), "default_model": "llava"}, {})
    assert own.complete(Prompt("k", "Hi"), timeout=10).text == "A car."
    assert json.loads(server.log[0][0].data)["model"] == "llava"


def test_offline_only_what_can_be_measured_is_said() -> None:
    offline = OfflineRules(Config())
    answer = offline.complete(
        Prompt("k", "Describe it.", images=[picture("red", "white", "white", "white")]), timeout=5
    )
    assert answer.text == (
        "No AI model that sees is configured, so this is the offline provider's measurement and not a description: "
        "400 x 50 pixels as given to the model; the most common colours are white (75%), red (25%). "
        "What it shows, and whether there is text in it, is not known."
    )
    assert (answer.usage.provider, answer.usage.cost_usd) == ("offline", 0.0)


def test_offline_a_schema_gets_null_for_what_is_not_known() -> None:
    schema = {
        "type": "object",
        "properties": {"width": {}, "dominant_colour": {}, "plate": {"type": "string"}, "has_text": {}},
    }
    answer = OfflineRules(Config()).complete(Prompt("k", "Read.", schema=schema, images=[picture("blue")]), timeout=5)
    assert answer.data == {"width": 100, "dominant_colour": "blue", "plate": None, "has_text": None}
