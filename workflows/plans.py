"""Compiled versions, kept in memory. A version never changes, so neither does its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from engine.graph import Graph, compile_graph
from workflows.models import WorkflowVersion


@dataclass(frozen=True, slots=True)
class Plan:
    """`workflow` and `organization` are what expressions read under these names; names as they were when first loaded.

    `timeout` is the seconds a run may take, where the definition's settings say so.
    """

    graph: Graph
    workflow: Mapping[str, Any]
    organization: Mapping[str, Any]
    timeout: float | None


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
    )


def _seconds(settings: Mapping[str, Any]) -> float | None:
    said = settings.get("timeout_seconds")
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) and said > 0 else None
