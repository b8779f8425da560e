"""`decision-logic`: which way a run goes on (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from engine.node import ERROR, OUT, Bare, Done, Failed, Literal_, NodeConfig, Outcome, Step, node
from nodes.settings.checks import Problems

DEFAULT = "default"


class Case(BaseModel):
    port: Literal_ = Field(min_length=1, max_length=100, description="The port to leave by.")
    when: Bare = Field(min_length=1, description="The condition; the first case that is true is taken.")


class Config(NodeConfig):
    condition: Bare | None = Field(
        default=None, description='A yes-or-no expression with the ports "true" and "false".'
    )
    cases: list[Case] = Field(default=[], description="Instead of a condition: ports with their conditions, in order.")
    default: Literal_ = Field(default=DEFAULT, min_length=1, description="The port when no case is true.")


def outputs(config: Config) -> tuple[str, ...]:
    if config.condition:
        return ("true", "false")
    if config.cases:
        return tuple(dict.fromkeys([*(case.port for case in config.cases), config.default]))
    return (OUT,)


def check(config: Config) -> Problems:
    problems: Problems = []
    if config.condition and config.cases:
        problems.append(("cases", "Give either a condition or cases, not both."))
    if ERROR in (config.default, *(case.port for case in config.cases)):
        problems.append(("cases", f"The port name '{ERROR}' is kept for failures (on_error: route); choose another."))
    return problems


@node("decision-logic", title="Decision", config=Config, outputs=outputs, check=check)
def run(config: Config, step: Step) -> Outcome:
    """Takes one of several ways. Without settings, the conditions on its outgoing edges decide."""
    if config.condition:
        value = step.evaluate(config.condition)
        if not isinstance(value, bool):
            return _no_boolean("condition", config.condition, value)
        port = "true" if value else "false"
        return Done({"decision": port, "value": value}, port=port)
    if not config.cases:
        return Done({"decision": OUT, "value": step.input})
    for at, case in enumerate(config.cases):
        value = step.evaluate(case.when)
        if not isinstance(value, bool):
            return _no_boolean(f"cases[{at}].when", case.when, value)
        if value:
            return Done({"decision": case.port, "value": True}, port=case.port)
    return Done({"decision": config.default, "value": None}, port=config.default)


def _no_boolean(field: str, source: str, value: Any) -> Failed:
    return Failed(
        "expression",
        f"{field}: '{source}' must be true or false, and is {_shown(value)}. Compare it with something, for example "
        f"{source.strip()} {_example(value)}.",
        {"field": field},
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {'map' if isinstance(value, dict) else 'list'} of {len(value)}"
    return "null" if value is None else repr(value)[:60]


def _example(value: Any) -> str:
    if isinstance(value, str):
        return '!= ""'
    if isinstance(value, int | float):
        return "> 0"
    return "!= null" if not isinstance(value, dict | list) else "!= []" if isinstance(value, list) else "!= {}"
