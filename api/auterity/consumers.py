"""The sockets of 000, frames flat (`websockets.yaml`, ws.executions)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.auterity.views.executions import detail
from api.frames import now
from api.sockets import StreamConsumer
from auterity.kernel.access import Actor, Permission
from auterity.kernel.live import Fact
from executions import selectors
from executions.live import fact_of, topic_of
from executions.models import TERMINAL

REPLAY_LIMIT = 1000


class ExecutionConsumer(StreamConsumer):
    """`/ws/executions/{execution_id}`: a snapshot, the present status, then every change of state in order."""

    needs = Permission.EXECUTION_READ
    same_for_all = True

    def topic(self) -> str:
        return topic_of(self.object_id())

    def object_id(self) -> UUID:
        execution_id: UUID = self.scope["url_route"]["kwargs"]["execution_id"]
        return execution_id

    @classmethod
    def heads(cls, ids: list[Any]) -> dict[Any, int]:
        return selectors.newest_seqs(ids)

    def snapshot(self, actor: Actor) -> tuple[list[dict[str, Any]], int, bool]:
        view = selectors.describe(actor=actor, execution_id=self.object_id())
        execution = view.execution
        body = detail(view).model_dump(mode="json")
        about = {"execution_id": str(execution.id), "seq": execution.seq}
        frames = [
            {
                "type": "execution_snapshot",
                **about,
                "stream_id": str(execution.id),
                "execution": body,
                "link": f"/api/workflows/executions/{execution.id}",
                "timestamp": now(),
            },
            {
                "type": "execution_status",
                **about,
                "workflow_id": str(execution.workflow_id),
                "status": execution.status,
                "progress": execution.progress,
                **({"current_step": body["current_step"]} if body["current_step"] else {}),
                **({"error_message": execution.error_message} if execution.error_message else {}),
                "timestamp": now(),
            },
        ]
        return frames, execution.seq, execution.status in TERMINAL

    def missed(self, actor: Actor, seq: int) -> list[Fact]:
        lines = selectors.lines_after(actor=actor, execution_id=self.object_id(), seq=seq, limit=REPLAY_LIMIT)
        return [fact_of(line) for line in lines]

    def frame(self, fact: Fact) -> dict[str, Any]:
        about = {"execution_id": fact["execution_id"], "workflow_id": fact["workflow_id"], "seq": fact["seq"]}
        if fact["kind"] == "note":
            return {
                "type": "execution_log",
                **about,
                "level": fact["level"],
                "node_id": fact["node_id"],
                "message": fact["message"],
                "timestamp": fact["at"],
            }
        return {
            "type": "execution_status",
            **about,
            "status": fact["status"],
            "progress": fact["progress"],
            **({"current_step": fact["node_id"]} if fact["node_id"] else {}),
            "event": fact["kind"],
            **({"error_message": fact["message"]} if fact["status"] == "failed" else {}),
            "timestamp": fact["at"],
        }

    def is_last(self, fact: Fact) -> bool:
        return bool(fact["status"] in TERMINAL)
