"""The envelopes of `/api/v1`: what every answer and every refusal there looks like."""

from __future__ import annotations

from typing import Any

from tests.api.people import JSON


def data_of(answer: Any, status: int = 200) -> Any:
    """The `data` of a success of 003, its envelope checked."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    body = answer.json()
    assert set(body) - {"pagination", "meta"} == {"success", "data", "message"}
    assert body["success"] is True
    assert body["message"]
    return body["data"]


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The `error` of a refusal that clients of 003 and of 004 both read."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    assert answer.headers["Content-Type"] == JSON
    body = answer.json()
    assert set(body) - {"errors"} == {"success", "error", "detail"}
    assert body["success"] is False
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code, error
    assert error["code"].startswith(f"ERR_{status}_")
    assert error["message"] == body["detail"]
    return error


def orchestrator_refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The `error` of a refusal of 002."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    body = answer.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"code", "message", "details", "request_id", "timestamp"}
    assert error["code"] == code, error
    assert all(set(each) == {"field", "message"} for each in error["details"])
    assert error["request_id"] == answer.headers["X-Request-ID"]
    return error
