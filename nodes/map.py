"""`map`: the same small workflow for each item of a list or of a stored file (`schemas/node_configs.yaml`).

A body of pure nodes is computed on the spot, item by item. A body with effects, or another workflow, becomes one run an item
(or a batch of items), of which `concurrency` are under way at a time; each is an execution of its own that survives crashes.
Either way only the items at work are in memory, however many there are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import Field

from engine.expressions import ExpressionError
from engine.graph import Graph, compile_graph
from engine.graph import check as check_graph
from engine.house_ports import EndedRun, NewRun
from engine.inline import Inline, is_pure
from engine.node import Bare, Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import TimedOut
from engine.waiting import Reason, Wait, Wake
from nodes.formats.content import MIB, Unreadable
from nodes.settings.checks import Problems, named_workflow
from nodes.settings.items import Found, Place, Source, source_of
from nodes.settings.results import Results, collecting
from nodes.settings.text import Text
from nodes.settings.totals import Total, Totals

MAX_RUNS = 10_000  # runs that one step may start
MAX_RESULT = 4 * MIB  # bytes of what one item becomes
SPARE = 2.0  # seconds kept of a step's time for storing the results


class Config(NodeConfig):
    items: Any = Field(
        description="The list to go through; or a stored file of JSON lines or one JSON list: its id, or what made it."
    )
    workflow: Annotated[dict[str, Any] | None, Field(json_schema_extra={"x-literal": True})] = Field(
        default=None, description="The nodes and edges that are run for each item; they read item, index and inputs."
    )
    workflow_id: Text | None = Field(default=None, description="Or the id of a workflow that is run for each item.")
    inputs: dict[str, Any] = Field(default={}, description="Further inputs that every run gets.")
    where: Bare | None = Field(default=None, description="Only items for which this is true, such as item.price > 100.")
    totals: dict[str, Total] = Field(
        default={},
        description="Figures over all results: a name, fn (count, sum, min, max, avg) and of, which reads result, item and "
        "index; with runs, result and index.",
    )
    concurrency: int = Field(default=10, ge=1, le=100, description="How many runs are under way at a time.")
    on_item_error: Literal["fail", "skip", "collect"] = Field(
        default="fail", description="Whether an item that fails ends the step, is left out, or is left out and listed."
    )
    batch_size: int = Field(default=1, ge=1, le=1000, description="With more than 1, each run gets a list of items.")


def check(config: Config) -> Problems:
    problems = [
        (f"totals.{name}.of", f"{total.fn} needs a value to work on, such as item.price.")
        for name, total in config.totals.items()
        if total.fn != "count" and not total.of
    ]
    if (config.workflow is None) == (config.workflow_id is None):
        return [*problems, ("workflow", "Say either workflow (nodes and edges) or workflow_id, and not both.")]
    if config.workflow is None:
        wrong_id = named_workflow(config.workflow_id or "")
        return [*problems, ("workflow_id", wrong_id)] if wrong_id else problems
    wrong = (each for each in check_graph(config.workflow) if not each.warning)
    return [*problems, *((f"workflow.{each.place}", each.message) for each in wrong)]


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    so_far = _Progress(**wake.state)
    source = Source(file=so_far.file) if so_far.file else _source(config)
    if isinstance(source, Failed):
        return source
    counts = step.ports.runs.counts(step.key, step.attempt)
    if counts.failed and config.on_item_error == "fail":
        step.ports.runs.cancel(step.key, step.attempt)
        return _first_failure(config, step)
    return _go_on(config, step, source, so_far, counts.live)


def sample(config: Config) -> dict[str, Any]:
    """The count of what is gone through, without results."""
    count = len(config.items) if isinstance(config.items, list) else 0
    told: dict[str, Any] = {"results": [], "errors": [], "count": count, "file": None, "truncated": False}
    figures = {name: 0 if total.fn in ("count", "sum") else None for name, total in config.totals.items()}
    return {**told, "totals": figures} if config.totals else told


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
    """Runs a small workflow for each item of a list or a stored file and hands on the results in the items' order."""
    source = _source(config)
    if isinstance(source, Failed):
        return source
    if config.workflow is not None and is_pure(body := _compiled(json.dumps(config.workflow))):
        return _on_the_spot(config, step, source, body)
    try:
        source = source.in_lines(step)
        enough = MAX_RUNS * config.batch_size
        with closing(_wanted(config, step, source.walk(step))) as items:
            too_many = next(islice(items, enough, None), None) is not None
    except Unreadable as error:
        return Failed("rejected", f"items: {error.message}")
    if too_many:
        return Failed(
            "config",
            f"One step may start {MAX_RUNS:,} runs, and there are more than {enough:,} items in batches of "
            f"{config.batch_size}. Raise batch_size, or use a body of pure nodes.",
        )
    return _go_on(config, step, source, _Progress(file=source.file), 0)


@dataclass(frozen=True, slots=True)
class _Progress:
    """What the step remembers while it waits: runs begun, items in them, and where the next item is.

    `file` are the items in lines, where they are no list; `ended` says that no further item is wanted.
    """

    begun: int = 0
    count: int = 0
    index: int = 0
    offset: int = 0
    ended: bool = False
    file: str = ""


def _source(config: Config) -> Source | Failed:
    kind = type(config.items).__name__
    return source_of(config.items) or Failed("config", f"items must be a list or name a stored file, and is {kind}.")


def _wanted(config: Config, step: Step, found: Iterator[Found]) -> Generator[Found]:
    """Those that `where` lets pass. Raises `TimedOut` when the step's time is over, and `ExpressionError`."""
    until = time.monotonic() + step.timeout - min(SPARE, step.timeout / 10)
    for each in found:
        if time.monotonic() > until:
            raise TimedOut(
                f"The step's {step.timeout:g} seconds were over at the item {each.index}; raise timeout_seconds."
            )
        if config.where is not None:
            wanted = step.evaluate(config.where, item=each.item, index=each.index)
            if not isinstance(wanted, bool):
                told = f"where must be true or false, and is {wanted!r:.80} for the item {each.index}."
                raise ExpressionError(told, config.where)
            if not wanted:
                continue
        yield each


def _go_on(config: Config, step: Step, source: Source, so_far: _Progress, live: int) -> Outcome:
    """Start as many more runs as there is room for; when none is left and none is under way, hand on the results."""
    more: list[NewRun] = []
    if not so_far.ended:
        more, so_far = _next_runs(config, step, source, so_far, config.concurrency - live)
    if more:
        step.ports.runs.start(step.key, step.attempt, more)
    elif not live and so_far.ended:
        return _collected(config, step, so_far.count)
    return Wait(Reason.RUNS, state=asdict(so_far))


def _next_runs(
    config: Config, step: Step, source: Source, so_far: _Progress, room: int
) -> tuple[list[NewRun], _Progress]:
    more: list[NewRun] = []
    place, count, ended = Place(so_far.index, so_far.offset), so_far.count, False
    with closing(_wanted(config, step, source.walk(step, place))) as items:
        while len(more) < room and not ended:
            part = list(islice(items, config.batch_size))
            ended = len(part) < config.batch_size
            if part:
                item = part[0].item if config.batch_size == 1 else [each.item for each in part]
                inputs = {**config.inputs, "item": item, "index": part[0].index}
                more.append(NewRun(so_far.begun + len(more), inputs, config.workflow_id or ""))
                place, count = part[-1].after, count + len(part)
    return more, _Progress(so_far.begun + len(more), count, place.index, place.offset, ended, so_far.file)


def _collected(config: Config, step: Step, count: int) -> Outcome:
    totals = Totals(config.totals, step)
    with collecting() as results:
        for ended in _all_ended(step):
            if ended.status == "completed":
                results.add(ended.output)
                totals.take(index=ended.item, result=ended.output)
            else:
                results.fail(ended.item, ended.error or ended.status)
        return Done(_output(config, step, results, totals, count))


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


def _on_the_spot(config: Config, step: Step, source: Source, body: Graph) -> Outcome:
    inline = Inline(body, config.inputs, step.context, step.now, step.ports, MAX_RESULT)
    totals = Totals(config.totals, step)
    count = 0
    try:
        with collecting() as results, closing(_wanted(config, step, source.all(step))) as items:
            for each in items:
                count += 1
                index, item = each.index, each.item
                outcome = inline.run(item, index)
                if isinstance(outcome, Done):
                    results.add(outcome.output)
                    totals.take(item=item, index=index, result=outcome.output)
                elif config.on_item_error == "fail":
                    return Failed(outcome.code, f"The item {index} failed: {outcome.message}", {"index": index})
                else:
                    results.fail(index, outcome.message)
            return Done(_output(config, step, results, totals, count))
    except Unreadable as error:
        return Failed("rejected", f"items: {error.message}")


def _output(config: Config, step: Step, results: Results, totals: Totals, count: int) -> Mapping[str, Any]:
    errors = results.errors if config.on_item_error == "collect" else []
    told = {**results.told(step), "errors": errors, "count": count}
    return {**told, "totals": totals.told()} if config.totals else told


@lru_cache(maxsize=64)
def _compiled(body: str) -> Graph:
    return compile_graph(json.loads(body))
