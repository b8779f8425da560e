"""`map`: the same small workflow for each item of a list (`schemas/node_configs.yaml`).

A body of pure nodes is computed on the spot, item by item. A body with effects, or another workflow, becomes one run an item
(or a batch of items), of which `concurrency` are under way at a time; each is an execution of its own that survives crashes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field

from engine.graph import Graph, compile_graph
from engine.graph import check as check_graph
from engine.house_ports import EndedRun, NewRun
from engine.inline import is_pure, run_inline
from engine.node import Bare, Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.waiting import Reason, Wait, Wake
from nodes.settings.checks import Problems
from nodes.settings.text import Text

MAX_RUNS = 10_000  # runs that one step may start
MAX_ERRORS = 1_000  # errors that are listed


class Config(NodeConfig):
    items: Any = Field(description="The list to go through.")
    workflow: Annotated[dict[str, Any] | None, Field(json_schema_extra={"x-literal": True})] = Field(
        default=None, description="The nodes and edges that are run for each item; they read item, index and inputs."
    )
    workflow_id: Text | None = Field(default=None, description="Or the id of a workflow that is run for each item.")
    inputs: dict[str, Any] = Field(default={}, description="Further inputs that every run gets.")
    where: Bare | None = Field(default=None, description="Only items for which this is true, such as item.price > 100.")
    concurrency: int = Field(default=10, ge=1, le=100, description="How many runs are under way at a time.")
    on_item_error: Literal["fail", "skip", "collect"] = Field(
        default="fail", description="Whether an item that fails ends the step, is left out, or is left out and listed."
    )
    batch_size: int = Field(default=1, ge=1, le=1000, description="With more than 1, each run gets a list of items.")


def check(config: Config) -> Problems:
    if (config.workflow is None) == (config.workflow_id is None):
        return [("workflow", "Say either workflow (nodes and edges) or workflow_id, and not both.")]
    if config.workflow is None:
        return []
    return [(f"workflow.{each.place}", each.message) for each in check_graph(config.workflow) if not each.warning]


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    items = _items(config, step)
    if isinstance(items, Failed):
        return items
    counts = step.ports.runs.counts(step.key, step.attempt)
    if counts.failed and config.on_item_error == "fail":
        step.ports.runs.cancel(step.key, step.attempt)
        return _first_failure(config, step)
    begun = int(wake.state.get("begun", 0))
    return _go_on(config, step, items, begun, counts.live)


def sample(config: Config) -> dict[str, Any]:
    """The count of what is gone through, without results."""
    return {"results": [], "errors": [], "count": len(config.items) if isinstance(config.items, list) else 0}


@node(
    "map",
    title="Map",
    config=Config,
    effect=Effect.REPEATABLE,
    check=check,
    resume=resume,
    sample=sample,
    starts_runs=True,
    default_timeout=600.0,
)
def run(config: Config, step: Step) -> Outcome:
    """Runs a small workflow for each item of a list and hands on the results in the list's order."""
    items = _items(config, step)
    if isinstance(items, Failed):
        return items
    if config.workflow is not None and is_pure(body := _compiled(json.dumps(config.workflow))):
        return _on_the_spot(config, step, items, body)
    if len(items) > MAX_RUNS * config.batch_size:
        return Failed(
            "config",
            f"One step may start {MAX_RUNS:,} runs; {len(items):,} items in batches of {config.batch_size} are more. Raise "
            "batch_size, or use a body of pure nodes.",
        )
    return _go_on(config, step, items, 0, 0)


def _items(config: Config, step: Step) -> list[tuple[int, Any]] | Failed:
    """The items that are wanted, with their places in the list."""
    if not isinstance(config.items, list):
        return Failed("config", f"items must be a list, and is {type(config.items).__name__}.")
    if config.where is None:
        return list(enumerate(config.items))
    found = []
    for index, item in enumerate(config.items):
        wanted = step.evaluate(config.where, item=item, index=index)
        if not isinstance(wanted, bool):
            return Failed("expression", f"where must be true or false, and is {wanted!r} for the item {index}.")
        if wanted:
            found.append((index, item))
    return found


def _go_on(config: Config, step: Step, items: list[tuple[int, Any]], begun: int, live: int) -> Outcome:
    """Start as many more runs as there is room for; when none is left and none is under way, hand on the results."""
    batches = -(-len(items) // config.batch_size)
    more = [_run(config, items, batch) for batch in range(begun, min(batches, begun + config.concurrency - live))]
    if more:
        step.ports.runs.start(step.key, step.attempt, more)
    elif not live and begun >= batches:
        return _collected(config, step, len(items))
    return Wait(Reason.RUNS, state={"begun": begun + len(more)})


def _run(config: Config, items: list[tuple[int, Any]], batch: int) -> NewRun:
    part = items[batch * config.batch_size : (batch + 1) * config.batch_size]
    item: Any = part[0][1] if config.batch_size == 1 else [each for _, each in part]
    return NewRun(batch, {**config.inputs, "item": item, "index": part[0][0]}, config.workflow_id or "")


def _collected(config: Config, step: Step, count: int) -> Outcome:
    results: list[Any] = []
    errors: list[dict[str, Any]] = []
    for ended in _all_ended(step):
        if ended.status == "completed":
            results.append(ended.output)
        elif len(errors) < MAX_ERRORS:
            errors.append({"index": ended.item, "error": ended.error or ended.status})
    return Done(_output(config, results, errors, count))


def _all_ended(step: Step) -> Iterator[EndedRun]:
    after = -1
    while page := step.ports.runs.ended(step.key, step.attempt, after=after):
        yield from page
        after = page[-1].item


def _first_failure(config: Config, step: Step) -> Failed:
    failed = next(each for each in _all_ended(step) if each.status not in ("completed", "cancelled"))
    return Failed(
        "rejected",
        f"The run for the item {failed.item} ended as {failed.status}: {failed.error}",
        {"index": failed.item, "execution_id": failed.id},
    )


def _on_the_spot(config: Config, step: Step, items: list[tuple[int, Any]], body: Graph) -> Outcome:
    results: list[Any] = []
    errors: list[dict[str, Any]] = []
    for index, item in items:
        outcome = run_inline(
            body,
            inputs=config.inputs,
            context=step.context,
            item=item,
            index=index,
            now=step.now,
            ports=step.ports,
            max_output_bytes=4 * 1024 * 1024,
        )
        if isinstance(outcome, Done):
            results.append(outcome.output)
        elif config.on_item_error == "fail":
            return Failed(outcome.code, f"The item {index} failed: {outcome.message}", {"index": index})
        elif len(errors) < MAX_ERRORS:
            errors.append({"index": index, "error": outcome.message})
    return Done(_output(config, results, errors, len(items)))


def _output(config: Config, results: list[Any], errors: list[dict[str, Any]], count: int) -> Mapping[str, Any]:
    return {"results": results, "errors": errors if config.on_item_error == "collect" else [], "count": count}


@lru_cache(maxsize=64)
def _compiled(body: str) -> Graph:
    return compile_graph(json.loads(body))
