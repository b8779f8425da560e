"""Several people at one workflow: `/ws/workflows/{workflow_id}/collaboration` (`websockets.yaml`, ws.collaboration)."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from typing import Any
from uuid import UUID, uuid4

from api.auterity.rooms import COMMENT, DELETED, JOINED, LEFT, POINTED, ROOMS, Room
from api.frames import TOO_SLOW, Refusal, now, whole_number
from api.problems import as_domain_error
from api.sockets import StreamConsumer, in_thread
from auterity.kernel.access import Actor, Permission
from auterity.kernel.errors import InvalidInput, Kind
from auterity.kernel.live import LIVE, Fact
from workflows import collaboration, presence, selectors
from workflows.collaboration import Edit, Edited
from workflows.drafts import state_of
from workflows.errors import EditConflict, NothingToUndo, WorkflowNotFound
from workflows.live import facts_of, picture_of, room_of, topic_of
from workflows.log import PUBLISHED, SAVED
from workflows.merge import EDITS
from workflows.versions import keep_draft

GONE = 4410
REPLAY_LIMIT = 500
WAITING = 256  # frames of the room that a slow peer may have waiting
MAX_SELECTED = 1000
MAX_ID = 100  # characters
SLOW = "slow"
CURSOR_MOVED, SELECTION_CHANGED = "cursor_moved", "selection_changed"

Json = dict[str, Any]


class CollaborationConsumer(StreamConsumer):
    """A snapshot, then every operation in order. One's own come back as acknowledgements in their place in that order."""

    room: Room | None = None
    connection: UUID

    # -- the stream ------------------------------------------------------------------------------------------------------

    needs = Permission.WORKFLOW_READ

    def topic(self) -> str:
        return topic_of(self.workflow_id)

    def object_id(self) -> UUID:
        return self.workflow_id

    @classmethod
    def heads(cls, ids: list[Any]) -> dict[Any, int]:
        return selectors.revisions(ids)

    def snapshot(self, actor: Actor) -> tuple[list[Json], int, bool]:
        # Being there comes first: an edit that is committed after the look below is told to whoever is there.
        present = presence.join(actor=actor, workflow_id=self.workflow_id, connection=self.connection)
        self.joined = True
        workflow = selectors.get_workflow(actor=actor, workflow_id=self.workflow_id)
        self._announce(actor, present)
        standing = {
            "name": workflow.name,
            "description": workflow.description,
            "is_active": workflow.is_active,
            "version": workflow.version,
            "published_version": workflow.published_version,
        }
        picture = picture_of(state_of(workflow).definition(), standing=standing, workflow_id=workflow.id)
        return [self._snapshot_frame(workflow.revision, now(), picture, present)], workflow.revision, False

    def missed(self, actor: Actor, seq: int) -> list[Fact]:
        try:
            workflow, rows = selectors.operations_after(
                actor=actor, workflow_id=self.workflow_id, revision=seq, limit=REPLAY_LIMIT
            )
        except WorkflowNotFound as gone:
            raise _deleted() from gone
        return facts_of(workflow, rows)

    def frame(self, fact: Fact) -> Json:
        if fact["operation"] == SAVED:
            return self._snapshot_frame(
                fact["seq"], fact["at"], fact, list(self.room.present.values()) if self.room else []
            )
        about = {"workflow_id": fact["workflow_id"], "user_id": fact["user_id"]}
        numbers = {"seq": fact["seq"], "revision": fact["seq"], "timestamp": fact["at"]}
        if fact["operation"] == PUBLISHED:
            versions = {"version": fact["version"], "published_version": fact["published_version"]}
            return {"type": "workflow_published", **about, **versions, **numbers}
        told = {
            "operation": fact["operation"],
            "data": fact["data"],
            **numbers,
            "version": fact["version"],
            "client_op_id": fact["client_op_id"],
            **({"cause": fact["cause"]} if fact["cause"] else {}),
            **({fact["act"]: fact["target"]} if fact["act"] != "do" else {}),
        }
        if self._is_own(fact) and not self.echo:
            return {"type": "collaboration_ack", **told}
        return {"type": "workflow_collaboration", **about, **told}

    def is_last(self, fact: Fact) -> bool:
        return False

    # -- the socket ------------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        self.workflow_id: UUID = self.scope["url_route"]["kwargs"]["workflow_id"]
        self.connection = uuid4()
        self.joined = False
        self.echo = b"echo=1" in self.scope["query_string"].split(b"&")
        self._newest = 0
        self._acks: dict[int, Json] = {}
        self._aside: OrderedDict[Any, Json] = OrderedDict()
        self._has_aside = asyncio.Event()
        self._there: set[str] = set()
        self._teller: asyncio.Task[None] | None = None
        self.room = await ROOMS.enter(self.workflow_id, self)
        await super().connect()

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
        if self._teller is not None:
            self._teller.cancel()
        room, actor = self.room, self.actor
        if room is None:
            return
        await ROOMS.leave(room, self)
        if self.joined and actor is not None:
            await self._guarded(in_thread(self._leave)(actor))

    def _leave(self, actor: Actor) -> None:
        """Tell the others, and store the draft whole when nobody is left; called in a thread."""
        last, empty = presence.leave(workflow_id=self.workflow_id, user_id=actor.user_id, connection=self.connection)
        if last:
            LIVE.publish([(room_of(self.workflow_id), {"kind": LEFT, "user_id": str(actor.user_id)})])
        if empty:
            keep_draft(organization_id=actor.organization_id, workflow_id=self.workflow_id)

    async def on_message(self, actor: Actor, message: Json) -> None:
        if message["type"] not in ("workflow_collaboration", "undo", "redo"):
            known = "auth, ping, resume, workflow_collaboration, undo and redo"
            said = f"This socket knows {known}, not '{message['type'][:40]}'."
            await self._complain("UNKNOWN_TYPE", said, message.get("id"))
        elif message.get("operation") in (CURSOR_MOVED, SELECTION_CHANGED):
            await self._point(actor, message)
        else:
            await self._change(actor, message)

    async def _send(self, frame: Json) -> None:
        """What follows a frame: its acknowledgement where both were asked for, and the room's frames once there is a snapshot."""
        await super()._send(frame)
        if frame["type"] == "collaboration_snapshot":
            self._meet(frame["participants"])
        if "seq" in frame:
            self._newest = max(self._newest, frame["seq"])
            for seq in [each for each in self._acks if each <= self._newest]:
                await super()._send(self._acks.pop(seq))

    # -- what clients send -----------------------------------------------------------------------------------------------

    async def _change(self, actor: Actor, message: Json) -> None:
        name = message.get("client_op_id")
        if not actor.may(Permission.WORKFLOW_UPDATE):
            said = f"You may watch; changing it needs the permission {Permission.WORKFLOW_UPDATE.value}."
            await self._send(self.error_frame("FORBIDDEN", said, name))
            return
        try:
            edited = await in_thread(self._apply)(actor, message)
        except (EditConflict, NothingToUndo) as conflict:
            frame = self.error_frame("CONFLICT", conflict.message, name)
            await self._send({**frame, **({"conflict": conflict.details} if conflict.details else {})})
        except InvalidInput as invalid:
            problem = invalid.problems[0]
            await self._complain("INVALID_MESSAGE", f"{problem.field}: {problem.message}", name)
        except WorkflowNotFound as gone:
            raise _deleted() from gone
        except Exception as error:
            problem_of_ours = as_domain_error(error)
            if problem_of_ours is None or problem_of_ours.kind is not Kind.UNAVAILABLE:
                raise
            await self._send(self.error_frame("INTERNAL_ERROR", problem_of_ours.message, name, retryable=True))
        else:
            await self._acknowledge(edited)

    def _apply(self, actor: Actor, message: Json) -> Edited:
        """Raises what the services raise."""
        name = message.get("client_op_id")
        if name is not None and not isinstance(name, str):
            raise InvalidInput.of("client_op_id", "This must be text.")
        about: Json = {"actor": actor, "workflow_id": self.workflow_id}
        if message["type"] in ("undo", "redo"):
            revision = _number(message, "revision")
            redo = message["type"] == "redo"
            return collaboration.undo(
                **about, revision=revision, redo=redo, client_op_id=name, connection=self.connection
            )
        operation = message.get("operation")
        if operation not in EDITS:
            known = ", ".join((*EDITS, SELECTION_CHANGED, CURSOR_MOVED))
            raise InvalidInput.of("operation", f"This is one of {known}.")
        edit = Edit(
            operation=operation,
            data=message.get("data"),
            client_op_id=name,
            base_revision=_number(message, "base_revision"),
            force=message.get("force") is True,
            connection=self.connection,
        )
        return collaboration.edit(**about, edit=edit)

    async def _acknowledge(self, edited: Edited) -> None:
        """An operation is acknowledged in its place in the stream; one that was sent before, or is echoed too, beside it."""
        first = edited.operations[0]
        if not edited.repeated and not self.echo:
            return
        ack = {
            "type": "collaboration_ack",
            "client_op_id": first.client_op_id,
            "seq": first.revision,
            "revision": first.revision,
            **({"repeated": True} if edited.repeated else {}),
            "timestamp": now(),
        }
        if first.revision <= self._newest:
            await self._send({**ack, "type": "collaboration_ack"})
        else:
            self._acks[first.revision] = ack

    async def _point(self, actor: Actor, message: Json) -> None:
        data = message.get("data")
        read = _pointed(message["operation"], data) if isinstance(data, dict) else None
        if read is None:
            shape = (
                "{x, y} as numbers" if message["operation"] == CURSOR_MOVED else "{node_ids, edge_ids} as lists of ids"
            )
            await self._complain("INVALID_MESSAGE", f"data is {shape}.", message.get("client_op_id"))
        elif self.room is not None:
            self.room.point(actor.user_id, self.connection, message["operation"], read)

    def _meet(self, present: list[presence.Participant]) -> None:
        """After a snapshot: who is there is known, and what happens beside the stream can be told."""
        self._there = {each["user_id"] for each in present}
        if self.room is not None:
            for each in present:
                self.room.present.setdefault(each["user_id"], each)
        if self._teller is None:
            self._teller = asyncio.create_task(self._guarded(self._tell_aside()))

    # -- the room --------------------------------------------------------------------------------------------------------

    def on_room(self, fact: Fact) -> None:
        """Put a fact of the room beside the stream: the latest place of each cursor, and everything else in order."""
        if self.actor is None:
            return
        key: Any = object()
        if fact["kind"] == POINTED:
            key = (fact["user_id"], fact["operation"])
            self._aside.pop(key, None)
        if len(self._aside) >= WAITING:
            self._aside.clear()
            fact = {"kind": SLOW}
        self._aside[key] = fact
        self._has_aside.set()

    def _announce(self, actor: Actor, present: list[presence.Participant]) -> None:
        """Tell the others who came; called in a thread."""
        mine = next(each for each in present if each["user_id"] == str(actor.user_id))
        fact = {"kind": JOINED, "participant": mine, "connection": str(self.connection)}
        LIVE.publish([(room_of(self.workflow_id), fact)])

    async def rejoin(self) -> None:
        """Its row is gone, because this process was silent for too long: be there again."""
        if self.actor is not None:
            present = await in_thread(presence.join)(
                actor=self.actor, workflow_id=self.workflow_id, connection=self.connection
            )
            await asyncio.to_thread(self._announce, self.actor, present)

    async def _tell_aside(self) -> None:
        while True:
            await self._has_aside.wait()
            while self._aside:
                _, fact = self._aside.popitem(last=False)
                frame = self._aside_frame(fact)
                if frame is not None:
                    await self._send({**frame, "timestamp": now()})
            self._has_aside.clear()

    def _aside_frame(self, fact: Fact) -> Json | None:
        """How a fact of the room is shown; None for a coming or going that this socket knows of already."""
        about: Json = {"workflow_id": str(self.workflow_id)}
        if fact["kind"] == DELETED:
            raise _deleted()
        if fact["kind"] == SLOW:
            raise Refusal("RATE_LIMIT_EXCEEDED", TOO_SLOW, "You read more slowly than the others write.")
        if fact["kind"] == POINTED:
            what = {"user_id": fact["user_id"], "operation": fact["operation"], "data": fact["data"]}
            return {"type": "workflow_collaboration", **about, **what}
        if fact["kind"] == COMMENT:
            return {
                "type": f"comment_{fact['change']}",
                **about,
                "user_id": fact["user_id"],
                "comment": fact["comment"],
            }
        user_id = fact["participant"]["user_id"] if fact["kind"] == JOINED else fact["user_id"]
        if (user_id in self._there) == (fact["kind"] == JOINED):
            return None
        if fact["kind"] == JOINED:
            self._there.add(user_id)
            return {"type": "participant_joined", **about, **fact["participant"]}
        self._there.discard(user_id)
        return {"type": "participant_left", **about, "user_id": user_id}

    # -- inside ----------------------------------------------------------------------------------------------------------

    def _is_own(self, fact: Fact) -> bool:
        return bool(fact["connection"] == str(self.connection) and fact["cause"] is None)

    def _snapshot_frame(self, revision: int, at: str, picture: Json, present: list[presence.Participant]) -> Json:
        shown = ("nodes", "edges", "variables", "triggers", "settings", "workflow", "truncated", "href")
        return {
            "type": "collaboration_snapshot",
            "workflow_id": str(self.workflow_id),
            "seq": revision,
            "stream_id": str(self.workflow_id),
            "revision": revision,
            **{name: picture[name] for name in shown if name in picture},
            "participants": present,
            "timestamp": at,
        }


def _deleted() -> Refusal:
    return Refusal("NOT_FOUND", GONE, "The workflow was deleted.", reason="deleted")


def _number(message: Json, name: str) -> int | None:
    """A revision that a message names. Raises `InvalidInput`."""
    if message.get(name) is None:
        return None
    found = whole_number(message[name])
    if found is None or found > 2**31:
        raise InvalidInput.of(name, "This is a revision, a whole number.")
    return found


def _pointed(operation: str, data: Any) -> Json | None:
    """What a cursor or a selection says, or None where it cannot be read."""
    if operation == CURSOR_MOVED:
        x, y = data.get("x"), data.get("y")
        return {"x": x, "y": y} if all(type(each) in (int, float) and math.isfinite(each) for each in (x, y)) else None
    chosen = {name: data.get(name, []) for name in ("node_ids", "edge_ids")}
    lists = all(isinstance(each, list) and len(each) <= MAX_SELECTED for each in chosen.values())
    texts = lists and all(isinstance(one, str) and len(one) <= MAX_ID for each in chosen.values() for one in each)
    return chosen if texts else None
