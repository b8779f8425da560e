"""A template as 001 writes it, the shapes of what `/api/templates` answers, and ways to ask it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.people import Api, refusal

live = pytest.mark.django_db(transaction=True)

PATH = "/api/templates"
# 001, "Create Template", with a graph that uses the parameter.
NEW: dict[str, Any] = {
    "name": "New Sales Template",
    "description": "Template for new sales workflow",
    "category": "sales",
    "definition": {
        "nodes": [
            {"id": "start", "type": "start", "data": {"label": "Start: {{customer_name}}"}},
            {
                "id": "mail",
                "type": "email",
                "data": {"to": "{{customer_email}}", "subject": "Hi", "text": "{{ inputs.a }}"},
            },
        ],
        "edges": [{"id": "e1", "source": "start", "target": "mail"}],
    },
    "parameters": [
        {"name": "customer_name", "parameter_type": "string", "is_required": True},
        {"name": "customer_email", "type": "email", "required": True, "label": "E-mail"},
    ],
}
VALUES = {"customer_name": "John Doe", "customer_email": "john@example.com"}
DETAIL = {
    "id": "uuid", "name": "string", "description": "string", "category": "string",
    "definition": {"nodes": ["object"], "edges": ["object"]}, "parameters": ["object"], "is_active": "boolean",
    "created_at": "datetime", "tags": ["string"], "version": "integer", "is_public": "boolean",
    "organization_id": "uuid|null", "created_by": "uuid|null", "updated_at": "datetime", "preview_image": "string|null",
    "usage_count": "integer", "rating": "number", "reviews": ["object"],
}  # fmt: skip
SUMMARY = {
    "id": "uuid", "name": "string", "description": "string", "category": "string", "is_active": "boolean",
    "created_at": "datetime", "usage_count": "integer", "parameter_count": "integer",
}  # fmt: skip
REVIEW = {
    "id": "uuid", "template_id": "uuid", "user_id": "uuid", "rating": "integer", "comment": "string|null",
    "created_at": "datetime", "updated_at": "datetime",
}  # fmt: skip


def at(template: dict[str, Any], rest: str = "") -> str:
    return f"{PATH}/{template['id']}{rest}"


def field(answer: Any, code: str = "VAL_001") -> str:
    """The field that a refusal names."""
    name: str = refusal(answer, 400, code)["details"]["field"]
    return name


def names(api: Api, query: str = "") -> list[str]:
    return [each["name"] for each in api.get(f"{PATH}?{query}").json()["templates"]]
