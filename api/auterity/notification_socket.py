"""`/ws/notifications` (000, WebSocket Endpoints; `websockets.yaml`, ws.notifications)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from api.frames import now
from api.sockets import StreamConsumer, in_thread
from auterity.kernel.access import Actor
from auterity.kernel.live import Fact
from notifications import selectors, services
from notifications.live import COUNTED, READ, TOLD, fact_of, stream_of, topic_of

LATEST = 20
REPLAY_LIMIT = 1000
MARKED_AT_ONCE = 1000
SHOWN = ("id", "category", "severity", "title", "message", "link", "data", "count", "read", "created_at")


class NotificationConsumer(StreamConsumer):
    """A snapshot, then each notification and announcement as it comes, and what the person's other sockets have read."""

    def topic(self) -> str:
        return topic_of(*self.object_id())

    def object_id(self) -> tuple[UUID, UUID]:
        assert self.actor is not None, "asked for once the caller is known"  # noqa: S101  States a fact to the type checker.
        return self.actor.organization_id, self.actor.user_id

    @classmethod
    def heads(cls, ids: list[Any]) -> dict[Any, int]:
        return selectors.last_seqs(ids)

    def snapshot(self, actor: Actor) -> tuple[list[dict[str, Any]], int, bool]:
        seq = selectors.last_seq(actor)
        latest = [each for each in selectors.latest(actor, LATEST) if each.seq <= seq]
        frame = {
            "type": "notification_snapshot",
            "seq": seq,
            "stream_id": stream_of(actor, actor.user_id),
            "unread_count": selectors.unread_count(actor),
            "latest": [self.frame(fact_of(each)) for each in latest],
            "timestamp": now(),
        }
        return [frame], seq, False

    def missed(self, actor: Actor, seq: int) -> list[Fact]:
        return [fact_of(each) for each in selectors.after(actor, seq, REPLAY_LIMIT)]

    def frame(self, fact: Fact) -> dict[str, Any]:
        if fact["kind"] == READ:
            return {
                "type": "notification_read",
                "ids": fact["ids"],
                "unread_count": fact["unread_count"],
                "timestamp": now(),
            }
        announced = fact["announcement"]
        if announced is not None:
            told = {name: fact[name] for name in ("id", "severity", "title", "message", "read")}
            return {
                "type": "system_announcement",
                **told,
                **announced,
                "timestamp": fact["created_at"],
                "seq": fact["seq"],
            }
        told = {name: fact[name] for name in SHOWN}
        if fact["kind"] == COUNTED:
            return {"type": "notification_counted", **told, "timestamp": now()}
        return {"type": "user_notification", **told, "timestamp": fact["created_at"], "seq": fact["seq"]}

    def is_last(self, fact: Fact) -> bool:
        return False

    async def on_message(self, actor: Actor, message: dict[str, Any]) -> None:
        if message["type"] != "mark_read":
            await super().on_message(actor, message)
            return
        ids = _ids(message.get("ids"))
        if ids is None:
            said = f"mark_read takes ids: at most {MARKED_AT_ONCE} ids of notifications."
            await self._complain("INVALID_MESSAGE", said, message.get("id"))
            return
        await in_thread(services.mark_read)(actor=actor, ids=ids, by=self._id)

    def _enqueue(self, fact: Fact) -> None:
        """What is no entry of the stream has no number; it is sent as it comes, and a snapshot holds it too."""
        if fact["kind"] == TOLD:
            super()._enqueue(fact)
        elif fact.get("by") != self._id:
            self._begin(self._send(self.frame(fact)))


def _ids(given: Any) -> list[UUID] | None:
    """The ids of a mark_read, or None for what is no list of ids."""
    if not isinstance(given, list) or len(given) > MARKED_AT_ONCE or not all(isinstance(each, str) for each in given):
        return None
    try:
        return [UUID(each) for each in given]
    except ValueError:
        return None
