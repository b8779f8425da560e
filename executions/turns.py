"""Whose turn it is: what a worker claims next, among organizations, lanes and workflows, and who waits for a slot.

What has a slot already goes on first: leases that ran out, and retries. Then lane by lane, and within a lane organizations take
turns, each its longest-due run first. A run whose workflow has all its slots taken is parked in the workflow's line (`parked_at`,
no `due_at`), so that nobody looks at it again until there is a slot; an organization with all its slots taken is passed over.

A look costs a few index look-ups for each organization that has something at rest, however much that is. Slots are counted
under a lock of the organization, so limits hold however many workers claim at once.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from engine.graph import InvalidDefinition
from executions import slots
from executions.models import LIVE, BrakeReason, Execution, ExecutionStatus, RunLimits, WorkflowBrake
from executions.slots import Arm, Candidate, Place
from workflows.plans import LANES, plan_of

LINES_A_LOOK = 20  # workflows whose lines one look tries
LAST_FIRST = 10  # of so many looks, one begins with the last lane, so that none starves
HOLDERS_TOLD = 10
AHEAD_COUNTED = 1000


@dataclass(slots=True)
class Turns:
    """One worker's place in the round.

    `more`: the last choice left something that can be taken at once. `blocked`: something waits for a slot, so that a run that
    ends may make room for it.
    """

    more: bool = False
    blocked: bool = False
    _looks: int = 0
    _last: dict[int, str] = field(default_factory=dict)

    def look(self) -> list[Place]:
        """Where something is due, or stands in line. Reads only; one statement."""
        self._looks += 1
        self.more = self.blocked = False
        return slots.places()

    def choose(self, places: Sequence[Place], limit: int) -> list[UUID]:
        """Up to `limit` runs, locked until the transaction ends. Call it in the transaction that claims them."""
        lanes = {lane: self._in_turn([each for each in places if each.kind == lane]) for lane in self._lanes()}
        halted = {each.workflow_id for each in places if each.kind == slots.HALTED}
        standing = [each for each in places if each.kind == slots.LINE]
        lines = self._in_turn([each for each in standing if each.workflow_id not in halted])[:LINES_A_LOOK]
        at_hand = [*lines, *(each for lane in lanes.values() for each in lane[:limit])]
        free = _Free.count(at_hand, halted, {each.workflow_id for each in standing})
        if any(each.kind == slots.GO_ON for each in places):
            share = (limit + self._looks % 2) // 2 if at_hand else limit
            self.more |= share == 0 or len(free.take([slots.go_on(share)])) == share
        self._from_lines(lines, free, limit)
        for lane, offered in lanes.items():
            self._from_lane(lane, offered, free, limit)
        self.blocked = free.blocked or bool(standing)
        slots.park(free.parked)
        return list(free.chosen)

    def _from_lines(self, lines: list[Place], free: _Free, limit: int) -> None:
        shares = {each: int(min(limit - len(free.chosen), free.in_line(each))) for each in lines}
        arms = [slots.in_line(each, share) for each, share in shares.items() if share > 0]
        free.take(arms, limit=limit, from_line=True)
        if lines:
            self._last[slots.LINE] = _name(lines[-1])
        self.more |= bool(arms) and len(free.chosen) >= limit

    def _from_lane(self, lane: int, offered: list[Place], free: _Free, limit: int) -> None:
        room = limit - len(free.chosen)
        open_ = [each for each in offered[:limit] if free.of_organization(each) > 0]
        served = open_[: max(0, room)]
        self.more |= len(offered) > limit or len(open_) > len(served)
        if not served:
            return
        shares = {each: room // len(served) + (at < room % len(served)) for at, each in enumerate(served)}
        came = Counter(each.organization_id for each in free.take([slots.in_lane(*each) for each in shares.items()]))
        self.more |= any(came[each.organization_id] >= share for each, share in shares.items() if each.organization_id)
        self._last[lane] = _name(served[-1])

    def _lanes(self) -> list[int]:
        lanes = sorted(LANES.values())
        return lanes[::-1] if self._looks % LAST_FIRST == 0 else lanes

    def _in_turn(self, offered: list[Place]) -> list[Place]:
        """Those after the one that came last, then the others."""
        return sorted(offered, key=lambda each: (_name(each) <= self._last.get(each.kind, ""), _name(each)))


@dataclass(slots=True)
class _Free:
    """The slots that are free while one worker chooses, and what it chose. A key without a workflow is the organization's."""

    free: dict[tuple[UUID, UUID | None], float]
    halted: set[UUID | None]
    standing: set[UUID | None]
    chosen: dict[UUID, None] = field(default_factory=dict)
    parked: list[UUID] = field(default_factory=list)
    blocked: bool = False

    @classmethod
    def count(cls, at_hand: Sequence[Place], halted: set[UUID | None], standing: set[UUID | None]) -> _Free:
        """Locks the organizations, then counts."""
        bounds: dict[tuple[UUID, UUID | None], float] = {}
        for each in at_hand:
            if each.organization_id is not None:
                bounds[each.organization_id, None] = _of_organization(each.allowed)
                if each.workflow_id is not None and each.version_id is not None:
                    bounds[each.organization_id, each.workflow_id] = _of_workflow(each.version_id)
        slots.lock({organization for organization, _ in bounds})
        made = cls({}, halted, standing)
        made._learn(bounds)
        made.blocked = any(count <= 0 for count in made.free.values())
        return made

    def of_organization(self, place: Place) -> float:
        return self.free[place.organization_id, None] if place.organization_id else 0

    def in_line(self, place: Place) -> float:
        if place.organization_id is None:
            return 0
        return min(self.free[place.organization_id, None], self.free[place.organization_id, place.workflow_id])

    def take(self, arms: Sequence[Arm], *, limit: float = inf, from_line: bool = False) -> list[Candidate]:
        """Choose from what these places hold, as far as there are slots; returns all they hold."""
        found = slots.pick(arms)
        self._learn(
            {
                (each.organization_id, each.workflow_id): _of_workflow(each.version_id)
                for each in found
                if each.needs_slot and (each.organization_id, each.workflow_id) not in self.free
            }
        )
        for each in found:
            organization, workflow = (each.organization_id, None), (each.organization_id, each.workflow_id)
            if each.id in self.chosen or len(self.chosen) >= limit:
                continue
            if not each.needs_slot:
                self.chosen[each.id] = None
            elif self.free[organization] <= 0:
                self.blocked = True
            elif self.free[workflow] <= 0 or (each.workflow_id in self.standing and not from_line):
                self.parked.append(each.id)
                self.blocked = True
            else:
                self.free[organization] -= 1
                self.free[workflow] -= 1
                self.chosen[each.id] = None
        return found

    def _learn(self, bounds: dict[tuple[UUID, UUID | None], float]) -> None:
        bounds = {key: 0 if key[1] in self.halted else bound for key, bound in bounds.items()}
        held = slots.taken(bounds)
        self.free |= {key: bound - held.get(key, 0) for key, bound in bounds.items()}


@dataclass(frozen=True, slots=True)
class SlotWait:
    """Why a run does not go on: its workflow, or its organization (`limit`), has `held` of its `allowed` slots taken.

    `holders` are up to ten of the runs that have them; `ahead` is how many wait before it, or None when there are too many to
    count. None is allowed while a workflow is braked for taking workers down: then `brake` is that.
    """

    limit: str
    allowed: int
    held: int
    holders: list[UUID]
    ahead: int | None
    brake: WorkflowBrake | None = None


def slot_of(execution: Execution) -> SlotWait | None:
    """What a run waits for, when that is a slot; else None. The caller has proved that it may see the run."""
    now = timezone.now()
    if not _wants_slot(execution, now):
        return None
    of_organization = Execution.unscoped.filter(
        organization_id=execution.organization_id, status=ExecutionStatus.RUNNING, waiting_since=None
    )
    of_workflow = of_organization.filter(workflow_id=execution.workflow_id)
    brake = _halted(execution.workflow_id, now)
    bound = 0 if brake is not None else _of_workflow(execution.version_id)
    if bound < inf and (execution.parked_at is not None or _bounded(of_workflow, bound) >= bound):
        line = Execution.unscoped.filter(
            workflow_id=execution.workflow_id, parked_at__isnull=False, paused_at=None, completed_at=None
        )
        before = line.filter(lane=execution.lane, id__lt=execution.id)
        found = _wait("workflow", bound, of_workflow, before, line.filter(lane__lt=execution.lane))
        return replace(found, brake=brake)
    own = RunLimits.unscoped.filter(organization_id=execution.organization_id).first()
    bound = _of_organization(own.concurrent_runs if own else None)
    if bound == inf or execution.due_at is None or _bounded(of_organization, bound) < bound:
        return None
    due = Execution.unscoped.filter(organization_id=execution.organization_id, due_at__lte=now, lease_owner="")
    before = due.filter(lane=execution.lane, due_at__lt=execution.due_at)
    return _wait("organization", bound, of_organization, before, due.filter(lane__lt=execution.lane))


# -- inside ----------------------------------------------------------------------------------------------------------


def _name(place: Place) -> str:
    return str(place.workflow_id or place.organization_id)


def _of_organization(own: int | None) -> float:
    """Its slots. Nothing said is the setting; 0 is no limit."""
    return (settings.ENGINE["concurrent_runs"] if own is None else own) or inf


def _of_workflow(version_id: UUID) -> float:
    """The slots of a version's workflow. One that cannot run ends at once, whoever takes it."""
    try:
        return plan_of(version_id).concurrency or inf
    except InvalidDefinition:
        return inf


def _wants_slot(execution: Execution, now: dt.datetime) -> bool:
    if execution.status not in LIVE or execution.paused_at is not None or execution.lease_owner:
        return False
    if execution.status == ExecutionStatus.RUNNING and execution.waiting_since is None:
        return False
    return execution.parked_at is not None or (execution.due_at is not None and execution.due_at <= now)


def _halted(workflow_id: UUID, now: dt.datetime) -> WorkflowBrake | None:
    brakes = WorkflowBrake.unscoped.filter(
        workflow_id=workflow_id, reason=BrakeReason.POISON, released_at=None, until__gt=now
    )
    return brakes.order_by().first()


def _bounded(found: QuerySet[Execution], bound: float) -> int:
    return len(found.order_by().values_list("id", flat=True)[: int(bound)])


def _wait(
    limit: str, bound: float, held: QuerySet[Execution], before: QuerySet[Execution], lanes: QuerySet[Execution]
) -> SlotWait:
    ahead = _bounded(before, AHEAD_COUNTED) + _bounded(lanes, AHEAD_COUNTED)
    holders = list(held.order_by().values_list("id", flat=True)[:HOLDERS_TOLD])
    count = _bounded(held, bound) if bound else 0
    return SlotWait(limit, int(bound), count, holders, ahead if ahead < AHEAD_COUNTED else None)
