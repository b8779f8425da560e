"""The documents' own request bodies, exactly as they stand, and small workflows to run."""

from __future__ import annotations

from typing import Any

# 001, "User Registration", "User Login", "Cross-System Token".
REGISTRATION = {
    "email": "user@example.com",
    "password": "secure_password",
    "first_name": "John",
    "last_name": "Doe",
    "company": "AutoDealer Inc.",
}
LOGIN = {"email": "user@example.com", "password": "secure_password"}
CROSS_SYSTEM = {"target_system": "relaycore", "permissions": ["ai:route", "metrics:read"]}

# 001, "Create Workflow".
FOLLOW_UP: dict[str, Any] = {
    "name": "Customer Follow-up Workflow",
    "description": "Automated customer follow-up process",
    "definition": {
        "nodes": [
            {"id": "start", "type": "start", "data": {"label": "Start Process"}, "position": {"x": 100, "y": 100}},
            {
                "id": "send_email",
                "type": "email",
                "data": {
                    "label": "Send Follow-up Email",
                    "to": "{{customer_email}}",
                    "template": "follow_up_template",
                },
                "position": {"x": 300, "y": 100},
            },
        ],
        "edges": [{"id": "e1", "source": "start", "target": "send_email"}],
    },
    "is_active": True,
}

# 001, "Execute Workflow". The address of its `webhook_url` has no name in the tests' DNS; see `test_executions`.
EXECUTE: dict[str, Any] = {
    "input_data": {"customer_email": "customer@example.com", "customer_name": "Jane Smith", "deal_amount": 25000},
    "execution_mode": "async",
    "webhook_url": "https://your-app.com/webhook",
}

# The form of 000: interface WorkflowNode and WorkflowEdge with every field.
FORM_OF_000: dict[str, Any] = {
    "name": "Totals",
    "description": "In the form of 000",
    "nodes": [
        {
            "id": "begin",
            "type": "start",
            "position": {"x": 0, "y": 0},
            "title": "Begin",
            "description": "Where it starts",
            "config": {},
            "inputs": [],
            "outputs": [{"id": "out"}],
        },
        {
            "id": "total",
            "type": "data-transformation",
            "position": {"x": 200, "y": 0},
            "title": "Add up",
            "config": {"set": {"total": "{{ inputs.amount }}"}},
            "inputs": [{"id": "in"}],
            "outputs": [],
            "validation": [{"rule": "required"}],
        },
    ],
    "edges": [
        {
            "id": "e1",
            "source_node_id": "begin",
            "source_port": "out",
            "target_node_id": "total",
            "target_port": "in",
            "type": "data",
        }
    ],
    "variables": [{"name": "rate", "type": "number", "default_value": 2}],
    "triggers": [{"type": "manual"}],
    "settings": {"timeout_seconds": 600},
    "is_active": True,
}


def chain(*names: str, name: str = "Chain") -> dict[str, Any]:
    """A start node and one transformation after another; runs without anything outside."""
    nodes: list[dict[str, Any]] = [{"id": "start", "type": "start", "title": "Start"}]
    nodes += [
        {"id": each, "type": "data-transformation", "title": each, "config": {"set": {"step": each}}} for each in names
    ]
    ids = ["start", *names]
    edges = [{"id": f"e{at}", "source": ids[at], "target": ids[at + 1]} for at in range(len(names))]
    return {"name": name, "definition": {"nodes": nodes, "edges": edges}}


DRAFT: dict[str, Any] = {
    "name": "Draft",
    "is_active": False,
    "definition": {
        "nodes": [
            {"id": "start", "type": "start"},
            {"id": "mail", "type": "email-sender", "config": {"subject": "Nobody receives this"}},
        ],
        "edges": [{"id": "e1", "source": "start", "target": "mail"}],
    },
}
