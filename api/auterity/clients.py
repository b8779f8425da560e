"""`/ws/{client_id}`, the socket of 001 (`websockets.yaml`, ws.client): what happens in the client's organization."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Any

from pydantic import ValidationError

from api.auterity.client_filter import Filter, Wish
from api.auterity.client_metrics import METRICS
from api.auterity.client_replay import Replay
from api.auterity.client_streams import STREAMS, ClientStream
from api.auterity.organization_log import Lost
from api.frames import Refusal, data_frame
from api.socket_codes import AWAY, REPLACED
from api.socket_watch import in_thread
from api.sockets import DataShape, StreamConsumer
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.live import LIVE, Fact
from executions import selectors
from executions.models import Execution

SHOWN_EXECUTIONS = 100
CHANGE_SECONDS = 20.0


class ClientConsumer(DataShape, StreamConsumer):
    """`connected`, then every frame of the events subscribed to. A newer connection of a user's client_id replaces the older."""

    stream: ClientStream | None = None
    _replay: Replay | None = None

    # -- the stream ------------------------------------------------------------------------------------------------------

    def topic(self) -> str:
        """Where connections of one client hear that another one has come."""
        assert self.actor is not None  # noqa: S101  Only asked once the caller is known.
        return f"client:{self.actor.user_id}:{self._client_id}"

    @property
    def _client_id(self) -> str:
        client_id: str = self.scope["url_route"]["kwargs"]["client_id"]
        return client_id

    async def admitted(self, actor: Actor, last_seq: Any) -> None:
        self._comes_back = last_seq is not None
        await super().admitted(actor, last_seq)

    async def follow(self) -> None:
        await super().follow()
        assert self.actor is not None  # noqa: S101  As above.
        self.stream, before = await STREAMS.take(
            self.actor, self._client_id, self._id, self._on_fact, comes_back=self._comes_back
        )
        METRICS.join(self)
        # Each connection puts an end to the one before it and to no other, so that of several at once one stays.
        if before not in ("", self._id):
            await in_thread(LIVE.publish)([(self.topic(), {"replaced": before})])

    async def unfollow(self) -> None:
        METRICS.leave(self)
        await super().unfollow()
        if self.stream is not None:
            STREAMS.leave(self.stream, self._on_fact)

    def _on_fact(self, fact: Fact) -> None:
        if "lost" in fact:
            self.end(_gone())
        elif "replaced" not in fact:
            super()._on_fact(fact)
        elif fact["replaced"] == self._id:
            self._begin(self._close(REPLACED, "replaced"))

    def snapshot(self, actor: Actor) -> tuple[list[dict[str, Any]], int, bool]:
        assert self.stream is not None  # noqa: S101  `follow` comes first.
        seq = self.stream.seq
        runs = selectors.under_way(actor=actor, limit=SHOWN_EXECUTIONS)
        about = {
            "client_id": self._client_id,
            "user_id": str(actor.user_id),
            **self.stream.filter.described(),
            "stream_id": str(self.stream.id),
            "seq": seq,
            "executions": [_state(each) for each in runs],
        }
        return [data_frame("connected", about) | {"data": about}], seq, False

    async def _missed(self, actor: Actor, seq: int) -> list[Fact]:
        assert self.stream is not None  # noqa: S101  As above.
        kept = self.stream.after(seq)
        if kept is not None:
            return kept
        if self._replay is None or self._replay.at != seq:
            self._replay = Replay(actor.organization_id, self.stream.id, seq)
        try:
            return await in_thread(self._replay.more)()
        except Lost as error:
            self._replay = None
            if seq == self._seq:
                raise _gone() from error  # It was not asked for: the socket itself cannot go on.
            return []

    def frame(self, fact: Fact) -> dict[str, Any]:
        return fact

    def is_last(self, fact: Fact) -> bool:
        return False

    def key_of(self, fact: Fact) -> Hashable | None:
        return fact["type"]

    def look(self, head: int | None) -> None:
        """The stream is in this process: nothing is lost on the way from it to the socket."""

    # -- the client ------------------------------------------------------------------------------------------------------

    async def on_message(self, actor: Actor, message: dict[str, Any]) -> None:
        if message["type"] not in ("subscribe", "unsubscribe"):
            known = "This socket knows subscribe, unsubscribe, auth, ping and resume"
            await self._complain("UNKNOWN_TYPE", f"{known}, not '{message['type'][:40]}'.", self.word(message, "id"))
            return
        assert self.stream is not None  # noqa: S101  As above.
        about = self.word(message, "id")
        wanted = self.stream.filter.copy()
        try:
            wish = Wish.model_validate(message.get("data") or {})
            if message["type"] == "unsubscribe":
                wanted.remove(wish)
            elif await in_thread(_all_known)(actor, wish):
                wanted.add(actor, wish)
            else:
                await self._send(self.error_frame("NOT_FOUND", "One of these is no execution or workflow here.", about))
                return
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            await self._complain("INVALID_MESSAGE", f"{place}: {first['msg']}.", about)
            return
        except InvalidInput as error:
            await self._complain("INVALID_MESSAGE", error.problems[0].message, about)
            return
        except PermissionDenied as error:
            await self._send(self.error_frame("FORBIDDEN", error.message, about))
            return
        if wanted != self.stream.filter:
            await self._change(self.stream, wanted)
        reply = {**self.stream.filter.described(), **({"id": about} if about is not None else {})}
        await self._send(self.own_frame(f"{message['type']}d", reply))

    async def _change(self, stream: ClientStream, wanted: Filter) -> None:
        try:
            await asyncio.wait_for(STREAMS.change(stream, wanted), CHANGE_SECONDS)
        except (Lost, TimeoutError) as error:
            raise _gone() from error

    def metrics(self, figures: dict[str, Any]) -> None:
        """The figures of this moment, for whoever subscribed to them."""
        if self.stream is not None and "metrics_update" in self.stream.filter.events:
            self._on_fact(data_frame("metrics_update", figures))


def _gone() -> Refusal:
    return Refusal("INTERNAL_ERROR", AWAY, "The stream cannot go on here. Please come back.", "stream_lost")


def _all_known(actor: Actor, wish: Wish) -> bool:
    if not wish.execution_ids and not wish.workflow_ids:
        return True
    return selectors.all_known(
        actor=actor, execution_ids=wish.execution_ids or (), workflow_ids=wish.workflow_ids or ()
    )


def _state(execution: Execution) -> dict[str, Any]:
    return {
        "execution_id": str(execution.id),
        "workflow_id": str(execution.workflow_id),
        "status": execution.status,
        "progress": execution.progress,
        "execution_seq": execution.seq,
    }
