"""What a client of `/ws/{client_id}` asked for, and how a fact is shown to it (001, WebSocket API)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.frames import now
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput
from auterity.kernel.live import Fact
from executions.models import LogKind

Event = Literal["workflow_execution_update", "system_alert", "error_notification", "metrics_update", "execution_log"]
Level = Literal["debug", "info", "warning", "error"]
DOCUMENTED: tuple[Event, ...] = (
    "workflow_execution_update",
    "system_alert",
    "error_notification",
    "metrics_update",
)
_RANKS: dict[str, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
ABOUT_EXECUTIONS: frozenset[Event] = frozenset({"workflow_execution_update", "error_notification", "execution_log"})
MOST_IDS = 100

Shown = tuple[str, dict[str, Any], str]


class Wish(BaseModel):
    """The data of `subscribe` and `unsubscribe`. Without `events`, the four of 001; without ids, all executions.

    `level` is for `execution_log`: lines of at least that level.
    """

    model_config = ConfigDict(extra="ignore")

    events: list[Event] = Field(default=list(DOCUMENTED), max_length=20)
    execution_ids: list[UUID] | None = Field(default=None, max_length=MOST_IDS)
    workflow_ids: list[UUID] | None = Field(default=None, max_length=MOST_IDS)
    level: Level = "debug"


@dataclass
class Narrowed:
    """One event's executions. With neither executions nor workflows named: all."""

    execution_ids: set[str] = field(default_factory=set)
    workflow_ids: set[str] = field(default_factory=set)
    level: Level = "debug"

    def covers(self, fact: Fact) -> bool:
        if not self.execution_ids and not self.workflow_ids:
            return True
        return fact["execution_id"] in self.execution_ids or fact["workflow_id"] in self.workflow_ids

    def described(self) -> dict[str, Any]:
        return {"execution_ids": sorted(self.execution_ids), "workflow_ids": sorted(self.workflow_ids)}


@dataclass
class Filter:
    """Begins with all four events of 001; the first `subscribe` puts what it names in their place, later ones add."""

    events: dict[Event, Narrowed]
    untouched: bool = True

    @classmethod
    def of_everything(cls, actor: Actor) -> Filter:
        allowed = [each for each in DOCUMENTED if each not in ABOUT_EXECUTIONS or actor.may(Permission.EXECUTION_READ)]
        return cls({each: Narrowed() for each in allowed})

    @classmethod
    def of_kept(cls, kept: dict[str, Any]) -> Filter:
        """From what `kept` wrote."""
        events: dict[Event, Narrowed] = {
            event: Narrowed(set(each["execution_ids"]), set(each["workflow_ids"]), each["level"])
            for event, each in kept["events"].items()
        }
        return cls(events, kept["untouched"])

    def kept(self) -> dict[str, Any]:
        """As JSON, to be written down."""
        events = {event: {**each.described(), "level": each.level} for event, each in self.events.items()}
        return {"events": events, "untouched": self.untouched}

    def copy(self) -> Filter:
        return Filter.of_kept(self.kept())

    def add(self, actor: Actor, wish: Wish) -> None:
        """Raises `PermissionDenied` or `InvalidInput`, and then changes nothing."""
        if ABOUT_EXECUTIONS & set(wish.events):
            require(actor, Permission.EXECUTION_READ)
        if "execution_log" in wish.events:
            require(actor, Permission.LOGS_READ)
        if self.untouched:
            self.events, self.untouched = {}, False
        for event in wish.events:
            present = self.events.get(event)
            everything = not wish.execution_ids and not wish.workflow_ids
            if present is None or everything:
                present = self.events[event] = Narrowed()
            elif not present.execution_ids and not present.workflow_ids:
                present.level = wish.level
                continue  # All executions already.
            present.execution_ids |= {str(each) for each in wish.execution_ids or ()}
            present.workflow_ids |= {str(each) for each in wish.workflow_ids or ()}
            present.level = wish.level
            if len(present.execution_ids) + len(present.workflow_ids) > 10 * MOST_IDS:
                raise InvalidInput.of("execution_ids", "Follow at most 1,000 by their ids, or all of them.")

    def remove(self, wish: Wish) -> None:
        """Whole events, or some ids of them; an event whose last id goes is not sent any more."""
        self.untouched = False
        for event in wish.events:
            present = self.events.get(event)
            if present is None:
                continue
            if wish.execution_ids or wish.workflow_ids:
                if not present.execution_ids and not present.workflow_ids:
                    continue  # All executions; one cannot be taken out of them.
                present.execution_ids -= {str(each) for each in wish.execution_ids or ()}
                present.workflow_ids -= {str(each) for each in wish.workflow_ids or ()}
                if present.execution_ids or present.workflow_ids:
                    continue
            del self.events[event]

    def described(self) -> dict[str, Any]:
        """`subscriptions` name the events, `filters` what narrows them."""
        narrowed = {
            event: {**each.described(), **({"level": each.level} if event == "execution_log" else {})}
            for event, each in self.events.items()
            if each.execution_ids or each.workflow_ids or each.level != "debug"
        }
        return {"subscriptions": list(self.events), "filters": narrowed}

    def shown(self, kind: str, fact: Fact) -> Iterator[Shown]:
        """The frames this fact makes for the client: type, data, timestamp."""
        if kind == "alert":
            if "system_alert" in self.events:
                yield "system_alert", _alert(fact), str(fact.get("at") or now())
            return
        update = self.events.get("workflow_execution_update")
        if update is not None and fact["kind"] != LogKind.NOTE and update.covers(fact):
            yield "workflow_execution_update", _update(*_key(fact)), fact["at"]
        lines = self.events.get("execution_log")
        if lines is not None and lines.covers(fact) and _RANKS.get(fact["level"], 1) >= _RANKS[lines.level]:
            yield "execution_log", _line(fact), fact["at"]
        errors = self.events.get("error_notification")
        ended_badly = fact["kind"] == LogKind.ENDED and fact["status"] in ("failed", "timeout")
        failed = ended_badly or fact["kind"] == LogKind.STEP_FAILED
        if errors is not None and failed and errors.covers(fact):
            yield "error_notification", _error(fact), fact["at"]


def _key(fact: Fact) -> tuple[Any, ...]:
    return (
        fact["execution_id"],
        fact["workflow_id"],
        fact["status"],
        fact["node_id"],
        fact["progress"],
        fact["kind"],
        fact["seq"],
    )


@lru_cache(maxsize=4096)
def _update(
    execution_id: str,
    workflow_id: str,
    status: str,
    node_id: str | None,
    progress: float,
    kind: str,
    seq: int,
) -> dict[str, Any]:
    """One object for all clients that keep it. `execution_seq` is the line's place in the execution's own stream."""
    return {
        "execution_id": execution_id,
        "workflow_id": workflow_id,
        "status": status,
        "current_step": node_id,
        "progress": progress,
        "event": kind,
        "execution_seq": seq,
    }


def _line(fact: Fact) -> dict[str, Any]:
    return {
        "execution_id": fact["execution_id"],
        "workflow_id": fact["workflow_id"],
        "execution_seq": fact["seq"],
        "event": fact["kind"],
        "level": fact["level"],
        "step_id": fact["node_id"],
        "message": fact["message"],
    }


def _error(fact: Fact) -> dict[str, Any]:
    code = fact.get("code") or f"EXECUTION_{fact['status'].upper()}"
    return {
        "code": code,
        "message": fact["message"],
        "execution_id": fact["execution_id"],
        "workflow_id": fact["workflow_id"],
        "step_id": fact["node_id"],
    }


def _alert(fact: Fact) -> dict[str, Any]:
    return {name: fact.get(name) for name in ("alert_id", "severity", "component", "message", "resolved")}
