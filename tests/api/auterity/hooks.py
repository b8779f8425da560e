"""A workflow with a webhook, and calls that open it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from tests.api.people import Api

SECRET = "whk_Zq8-not-to-be-seen"
BODY = b'{"lead_id": "42", "email": "customer@example.com"}'


def graph(**config: Any) -> dict[str, Any]:
    nodes = [
        {"id": "hook", "type": "webhook-trigger", "config": config},
        {
            "id": "note",
            "type": "data-transformation",
            "config": {"set": {"lead": "{{ inputs.lead_id }}", "via": "{{ steps.hook.method }}"}},
        },
    ]
    return {"nodes": nodes, "edges": [{"id": "e", "source": "hook", "target": "note"}]}


def make(api: Api, **config: Any) -> str:
    """The address of a new workflow's webhook."""
    made = api.made("/api/workflows", {"name": "Lead in", "definition": graph(**config)})
    return f"/api/workflows/{made['id']}/triggers/hook"


def signed(body: bytes = BODY, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(path: str, body: bytes = BODY, media: str = "application/json", **headers: str) -> Any:
    return Api().call("POST", path, raw=body, media=media, **headers)
