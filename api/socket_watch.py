"""One look every few seconds for all sockets of this process: who may still be there, what is still there, what was lost.

A thousand sockets cost a few queries a look, however many users and objects they are about. The end of a login is told over the
live bus besides, so that a logout closes sockets in every process at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import structlog
from channels.db import database_sync_to_async

from accounts import key_proofs
from accounts.events import ApiKeyEnded, RightsChanged, SessionRevoked
from accounts.tokens import living, rights_today
from api.frames import Refusal
from api.socket_codes import AWAY, FORBIDDEN, GONE, NO_SIGN, NOT_AUTHENTICATED
from api.socket_limits import PLACES
from auterity.kernel.access import Actor, Permission
from auterity.kernel.live import LIVE, Fact, Watcher

log = structlog.get_logger(__name__)

LOOK_SECONDS = 4.0
KEEP_SECONDS = 10.0
IDLE_SECONDS = 30 * 60.0
IN_ONE_QUERY = 500
BLIND_LOOKS = 2  # looks in a row without an answer before nobody is trusted any more

LOGINS = "logins"  # the live topic

# Not on the one thread that Channels keeps for all sockets: a long snapshot would hold up everybody else's frames.
in_thread = partial(database_sync_to_async, thread_sensitive=False)


class Watched(Protocol):
    """A socket, as the watch sees it."""

    actor: Actor | None
    needs: Permission | None
    heard_at: float

    def object_id(self) -> Hashable | None: ...
    @classmethod
    def heads(cls, ids: list[Any]) -> dict[Any, int] | None: ...
    def look(self, head: int | None) -> None: ...
    def end(self, refusal: Refusal) -> None: ...


class Watch:
    """The sockets of one process that were let in."""

    def __init__(self) -> None:
        self._sockets: set[Watched] = set()
        self._suspects: set[UUID] = set()
        self._woken: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._kept_at = 0.0
        self._blind = 0

    async def join(self, socket: Watched) -> None:
        self._sockets.add(socket)
        if self._task is None:
            self._woken = asyncio.Event()
            self._blind, self._kept_at = 0, time.monotonic()
            heard = partial(self._on_login)  # Of this run alone: the end of one must not silence the next.
            self._task = asyncio.create_task(self._run(self._woken, heard))
            await LIVE.watch(LOGINS, heard)

    async def leave(self, socket: Watched) -> None:
        self._sockets.discard(socket)
        if not self._sockets and self._woken is not None:
            self._woken.set()

    @property
    def asleep(self) -> bool:
        return self._task is None

    def _on_login(self, fact: Fact) -> None:
        if "login_id" in fact:
            self._suspects.add(UUID(fact["login_id"]))
        else:
            about = (UUID(fact["user_id"]), UUID(fact["organization_id"]))
            actors = [each.actor for each in self._sockets if each.actor is not None]
            self._suspects |= {_login(each) for each in actors if (each.user_id, each.organization_id) == about}
        if self._woken is not None:
            self._woken.set()

    async def _run(self, woken: asyncio.Event, heard: Watcher) -> None:
        due = time.monotonic() + LOOK_SECONDS
        while self._sockets:
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), max(0.0, due - time.monotonic()))
            woken.clear()
            all_of_them = time.monotonic() >= due
            suspects, self._suspects = self._suspects, set()
            if all_of_them:
                due = time.monotonic() + LOOK_SECONDS
            try:
                await self._look(None if all_of_them else suspects)
                self._blind = 0
            except Exception as error:
                # Whatever the database or Redis raise: nobody is closed for one look that failed, everybody for a few.
                self._blind += 1
                log.warning("sockets_not_looked_at", error=type(error).__name__)
                self._give_up()
        self._task = None
        await LIVE.unwatch(LOGINS, heard)

    async def _look(self, suspects: set[UUID] | None) -> None:
        await self._look_at_logins(suspects)
        if suspects is not None:
            return
        now = time.monotonic()
        for socket in list(self._sockets):
            if now - socket.heard_at > IDLE_SECONDS:
                socket.end(Refusal("", NO_SIGN, "Nothing was said for half an hour.", "idle"))
        if now - self._kept_at >= KEEP_SECONDS:
            self._kept_at = now
            await PLACES.keep()
        await self._look_at_objects()

    async def _look_at_logins(self, suspects: set[UUID] | None) -> None:
        by_login: dict[UUID, list[Watched]] = defaultdict(list)
        for socket in self._sockets:
            if socket.actor is not None:
                by_login[_login(socket.actor)].append(socket)
        asked = list(by_login if suspects is None else suspects & by_login.keys())
        by_key = {each for each in asked if _by_key(by_login[each])}
        alive = await self._in_parts(living, [each for each in asked if each not in by_key])
        alive |= await self._in_parts(key_proofs.living, by_key)
        ended = [each for each in asked if each not in alive]
        rights = await self._in_parts(rights_today, ended)
        for login in asked:
            for socket in by_login[login]:
                if login in alive:
                    self._renew(socket, alive[login])
                else:
                    socket.end(_why(socket, rights.get(login)))

    def _renew(self, socket: Watched, actor: Actor) -> None:
        if socket.needs is not None and not actor.may(socket.needs):
            socket.end(_forbidden())
        else:
            socket.actor = actor

    async def _look_at_objects(self) -> None:
        by_class: dict[type[Watched], dict[Hashable, list[Watched]]] = defaultdict(lambda: defaultdict(list))
        for socket in self._sockets:
            by_class[type(socket)][socket.object_id()].append(socket)
        for kind, objects in by_class.items():
            ids = [each for each in objects if each is not None]
            heads = await self._in_parts(kind.heads, ids)
            for key, sockets in objects.items():
                for socket in sockets:
                    if key is None or heads is None:
                        socket.look(None)
                    elif key in heads:
                        socket.look(heads[key])
                    else:
                        socket.end(Refusal("NOT_FOUND", GONE, "This was deleted.", "deleted"))

    async def _in_parts(self, ask: Callable[[list[Any]], dict[Any, Any] | None], ids: Iterable[Any]) -> Any:
        """The answers about all ids together, or None when the question has none."""
        found: dict[Any, Any] = {}
        every = list(ids)
        for at in range(0, len(every), IN_ONE_QUERY):
            told = await in_thread(ask)(every[at : at + IN_ONE_QUERY])
            if told is None:
                return None
            found |= told
        return found

    def _give_up(self) -> None:
        if self._blind >= BLIND_LOOKS:
            for socket in list(self._sockets):
                socket.end(Refusal("INTERNAL_ERROR", AWAY, "A part of the service does not answer. Please come back."))


WATCH = Watch()


def on_session_revoked(event: SessionRevoked) -> None:
    LIVE.publish([(LOGINS, {"login_id": str(event.session_id)})])


def on_api_key_ended(event: ApiKeyEnded) -> None:
    LIVE.publish([(LOGINS, {"login_id": str(event.key_id)})])


def on_rights_changed(event: RightsChanged) -> None:
    """Whoever has another role now is looked at again, in every process."""
    LIVE.publish([(LOGINS, {"user_id": str(event.user_id), "organization_id": str(event.organization_id)})])


def _login(actor: Actor) -> UUID:
    """What a socket was let in by: a login or an API key. Their ids never meet."""
    found = actor.session_id or actor.key_id
    assert found is not None, "nobody comes in without one"  # noqa: S101  For the checker.
    return found


def _by_key(sockets: list[Watched]) -> bool:
    return any(each.actor is not None and each.actor.key_id is not None for each in sockets)


def _why(socket: Watched, rights: frozenset[Permission] | None) -> Refusal:
    """A login ended. Somebody who could come back with a new one is told to; somebody with no right here any more is not."""
    if rights is not None and (not rights or (socket.needs is not None and socket.needs not in rights)):
        return _forbidden()
    return Refusal("NOT_AUTHENTICATED", NOT_AUTHENTICATED, "The login has ended.", "session_ended")


def _forbidden() -> Refusal:
    return Refusal("FORBIDDEN", FORBIDDEN, "You have no right to this any more.")
