"""Journal lines, and what is fit to be kept in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from auterity.kernel.models import uuid7
from executions.claims import Claim
from executions.models import ExecutionStatus, LogKind
from executions.records import Line
from workflows.secrets import HEADERS, MASK, veiled_headers

KEPT_BYTES = 64 * 1024
MAX_MESSAGE = 4000  # characters


def line_of(
    claim: Claim,
    after: int,
    kind: LogKind,
    message: str,
    *,
    status: ExecutionStatus,
    progress: float,
    level: str = "info",
    node_id: str | None = None,
    data: dict[str, Any] | None = None,
) -> Line:
    """The line that is `after` places behind the last one committed."""
    return Line(
        id=uuid7(),
        organization_id=claim.organization_id,
        execution_id=claim.id,
        workflow_id=claim.workflow_id,
        seq=claim.seq + after,
        kind=kind.value,
        level=level,
        node_id=node_id,
        message=clean(message),
        data=kept(data) if data else None,
        status=ExecutionStatus(status).value,
        progress=progress,
        created_at=claim.now(),
    )


def clean(text: str) -> str:
    """A message that every database can keep and a page can show."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:MAX_MESSAGE]


def kept(value: Any) -> Any:
    """JSON that is kept to be shown to people, such as a rendered configuration; a very large one is only summed up."""
    try:
        size = len(orjson.dumps(value))
    except TypeError:
        return None
    return value if size <= KEPT_BYTES else {"omitted": f"{size:,} bytes"}


def masked(config: dict[str, Any], sensitive: Sequence[str]) -> dict[str, Any]:
    """A rendered configuration without what nobody should read back: headers that carry credentials, and `sensitive` paths."""
    if isinstance(config.get(HEADERS), dict):
        config = {**config, HEADERS: veiled_headers(config[HEADERS])}
    for path in sensitive:
        config = _without(config, path.split("."))
    return config


def _without(value: Any, path: Sequence[str]) -> Any:
    if not path:
        return MASK
    if isinstance(value, dict) and path[0] in value:
        return {**value, path[0]: _without(value[path[0]], path[1:])}
    return value
