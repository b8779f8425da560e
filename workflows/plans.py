"""Compiled versions, kept in memory. A version never changes, so neither does its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from engine.graph import Graph, InvalidDefinition, Problem, compile_graph
from workflows.models import WorkflowVersion


@dataclass(frozen=True)
class Plan:
    """`workflow` and `organization` are what expressions read under these names; names as they were when first loaded.

    `timeout` is the seconds a run may take and `concurrency` how many runs may be under way at once, where the definition's
    settings say so. `lane` is 0 for interactive, 1 for ordinary and 2 for bulk work.
    """

    graph: Graph
    workflow: Mapping[str, Any]
    organization: Mapping[str, Any]
    timeout: float | None
    concurrency: int | None
    lane: int
    definition: Mapping[str, Any]

    @cached_property
    def _bodies(self) -> dict[str, Graph]:
        return {}

    def graph_of(self, body: str) -> Graph:
        """The whole graph, or the one that a node holds: `body` is a path of node ids. Raises `InvalidDefinition`."""
        if not body:
            return self.graph
        if body not in self._bodies:
            self._bodies[body] = compile_graph(_body(self.definition, body.split("/")))
        return self._bodies[body]

    @cached_property
    def _links(self) -> dict[str, tuple[str, ...]]:
        return {}

    def linked(self, body: str) -> tuple[str, ...]:
        """The ids of forms in mid-run that anybody who has their page's address may fill in. Raises as `graph_of`."""
        if body not in self._links:
            self._links[body] = public_forms(self.graph_of(body))
        return self._links[body]


def public_forms(graph: Graph) -> tuple[str, ...]:
    """Those of a graph. Other forms, and approvals, send each person a link of their own, or are answered by members."""
    return tuple(
        node.id
        for node in graph.nodes
        if node.incoming and node.type.name == "form-input" and getattr(node.settings, "who", "public") == "public"
    )


@lru_cache(maxsize=512)
def plan_of(version_id: UUID) -> Plan:
    """The runnable form of a version. Raises `engine.graph.InvalidDefinition` when it cannot run.

    For the machine room: the caller has already proved that the version belongs to the execution at hand.
    """
    version = WorkflowVersion.unscoped.select_related("workflow", "organization").get(id=version_id)
    return Plan(
        graph=compile_graph(version.definition),
        workflow={"id": str(version.workflow_id), "name": version.workflow.name, "version": version.number},
        organization={"id": str(version.organization_id), "name": version.organization.name},
        timeout=_seconds(version.definition.get("settings") or {}),
        definition=version.definition,
        **_turns(version.definition.get("settings") or {}),
    )


LANES = {"interactive": 0, "ordinary": 1, "bulk": 2}  # `settings.priority`


def turn_problems(settings: Any) -> list[Problem]:
    """What is wrong with the settings that say how runs take turns."""
    settings = settings if isinstance(settings, Mapping) else {}
    concurrency, priority = settings.get("concurrency"), settings.get("priority")
    problems = []
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        said = "This is how many runs may be under way at once: a whole number from 1."
        problems.append(Problem(said, field="settings.concurrency", structural=True))
    if priority is not None and priority not in tuple(LANES):
        said = f"This is one of {', '.join(LANES)}."
        problems.append(Problem(said, field="settings.priority", structural=True))
    return problems


def _turns(settings: Mapping[str, Any]) -> dict[str, Any]:
    """An old version may hold anything; what cannot be read is as if it were not said."""
    wrong = {each.place for each in turn_problems(settings)}
    priority = "ordinary" if "settings.priority" in wrong else settings.get("priority") or "ordinary"
    return {
        "concurrency": None if "settings.concurrency" in wrong else settings.get("concurrency"),
        "lane": LANES[priority],
    }


def _seconds(settings: Mapping[str, Any]) -> float | None:
    said = settings.get("timeout_seconds")
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) and said > 0 else None


def _body(definition: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    """The definition that a node holds in its setting `workflow`."""
    for node_id in path:
        node = next((each for each in definition.get("nodes", []) if each.get("id") == node_id), None)
        held = (node or {}).get("config", {}).get("workflow")
        if not isinstance(held, Mapping):
            raise InvalidDefinition([Problem("This node holds no workflow of its own.", node=node_id)])
        definition = held
    return definition
