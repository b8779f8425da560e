"""`/ws/{client_id}`, the socket of 001 (`websockets.yaml`, ws.client): what happens in the client's organization."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from pydantic import ValidationError

from api.auterity.client_filter import Filter, Wish
from api.auterity.client_metrics import METRICS
from api.auterity.client_streams import STREAMS, ClientStream
from api.frames import data_frame
from api.socket_codes import REPLACED
from api.socket_limits import SHARED
from api.socket_watch import in_thread
from api.sockets import DataShape, StreamConsumer
from auterity.kernel.access import Actor
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.live import LIVE, Fact
from executions import selectors
from executions.models import Execution

SHOWN_EXECUTIONS = 100
NAMED_SECONDS = 24 * 3600


class ClientConsumer(DataShape, StreamConsumer):
    """`connected`, then every frame of the events subscribed to. A newer connection of a user's client_id replaces the older."""

    stream: ClientStream | None = None

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
        self.stream, here = await STREAMS.take(self.actor, self._client_id, self._id, self._on_fact)
        if not self._comes_back:
            self.stream.filter = Filter.of_everything(self.actor)
        METRICS.join(self)
        # Each connection puts an end to the one before it and to no other, so that of several at once one stays.
        name = f"client:{self.actor.user_id}:{self._client_id}"
        earlier = {here, await SHARED.swap(name, self._id, NAMED_SECONDS)} - {"", self._id}
        await in_thread(LIVE.publish)([(self.topic(), {"replaced": each}) for each in earlier])

    async def unfollow(self) -> None:
        METRICS.leave(self)
        await super().unfollow()
        if self.stream is not None:
            STREAMS.leave(self.stream, self._on_fact)

    def _on_fact(self, fact: Fact) -> None:
        if "replaced" not in fact:
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
            "stream_id": self.stream.id,
            "seq": seq,
            "executions": [_state(each) for each in runs],
        }
        return [data_frame("connected", about) | {"data": about}], seq, False

    async def _missed(self, actor: Actor, seq: int) -> list[Fact]:
        return [] if self.stream is None else self.stream.after(seq)

    def frame(self, fact: Fact) -> dict[str, Any]:
        return fact

    def is_last(self, fact: Fact) -> bool:
        return False

    def key_of(self, fact: Fact) -> Hashable | None:
        return fact["type"]

    def look(self, head: int | None) -> None:
        """The stream is in this process: nothing is lost on the way to the socket."""

    # -- the client ------------------------------------------------------------------------------------------------------

    async def on_message(self, actor: Actor, message: dict[str, Any]) -> None:
        if message["type"] not in ("subscribe", "unsubscribe"):
            known = "This socket knows subscribe, unsubscribe, auth, ping and resume"
            await self._complain("UNKNOWN_TYPE", f"{known}, not '{message['type'][:40]}'.", self.word(message, "id"))
            return
        assert self.stream is not None  # noqa: S101  As above.
        about = self.word(message, "id")
        try:
            wish = Wish.model_validate(message.get("data") or {})
            if message["type"] == "unsubscribe":
                self.stream.filter.remove(wish)
            elif await in_thread(_all_known)(actor, wish):
                self.stream.filter.add(actor, wish)
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
        reply = {**self.stream.filter.described(), **({"id": about} if about is not None else {})}
        await self._send(self.own_frame(f"{message['type']}d", reply))

    def metrics(self, figures: dict[str, Any]) -> None:
        """The figures of this moment, for whoever subscribed to them."""
        if self.stream is not None and "metrics_update" in self.stream.filter.events:
            self._on_fact(data_frame("metrics_update", figures))


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
