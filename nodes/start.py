"""`start`: where a run begins (001, "Create Workflow": `{"id": "start", "type": "start"}`)."""

from __future__ import annotations

from engine.node import Done, NodeConfig, Step, node


class Config(NodeConfig):
    """Nothing to set."""


@node("start", title="Start", config=Config, trigger=True)
def run(config: Config, step: Step) -> Done:
    """Begins the workflow and hands its inputs on unchanged."""
    return Done(dict(step.inputs))
