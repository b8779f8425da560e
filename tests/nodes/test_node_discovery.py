"""Node types are found by looking, each file holds one, and each tells an editor what it can be set to."""

import ast
import pkgutil
import sys
from pathlib import Path

import pytest

import nodes
from engine.node import Effect, NodeType
from engine.registry import NODES, DuplicateNode, NodeRegistry, UnknownNode, discover

ALLOWED = {"PIL", "defusedxml", "engine", "nodes", "openpyxl", "orjson", "pydantic", "pydantic_core", "pypdf"}
THE_CHILD = {"child.py", "guarded.py"}  # The two ends of the guarded child, which exists to have limits.
OURS = sorted(Path(nodes.__file__).parent.rglob("*.py"))
FILES = {module.name.replace("_", "-") for module in pkgutil.iter_modules(nodes.__path__) if not module.ispkg}


def test_every_file_registers_the_type_of_its_name() -> None:
    assert {each.name for each in NODES} >= FILES
    assert {each.run.__module__ for each in NODES if each.name in FILES} == {
        f"nodes.{name.replace('-', '_')}" for name in FILES
    }


def test_the_types_of_this_build() -> None:
    assert {
        "ai-text-processing", "api-integration", "data-transformation", "decision-logic", "email-sender",
        "file-processor", "form-input", "merge", "output-formatter", "start", "webhook-trigger",
    } <= FILES  # fmt: skip


def test_001_writes_email_for_email_sender() -> None:
    assert NODES.get("email") is NODES.get("email-sender")


def test_discovering_twice_changes_nothing() -> None:
    before = len(NODES)
    discover("nodes")
    assert len(NODES) == before


def test_a_name_taken_twice_is_refused() -> None:
    registry = NodeRegistry()
    registry.add(NODES.get("email"))
    with pytest.raises(DuplicateNode):
        registry.add(NODES.get("email"))


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownNode) as unknown:
        NODES.get("emial-sender")
    assert "did you mean email-sender" in unknown.value.message


def test_effects_are_what_the_contract_says() -> None:
    effects = {each.name: each.effect for each in NODES if each.effect is not Effect.PURE and each.name in FILES}
    assert effects["api-integration"] is Effect.KEYED
    assert effects["email-sender"] is Effect.UNKEYED
    assert effects["ai-text-processing"] is Effect.REPEATABLE
    assert effects["file-processor"] is Effect.REPEATABLE
    assert NODES.get("email-sender").lookup is not None
    assert {each.name for each in NODES if each.trigger} >= {"start", "form-input", "webhook-trigger"}


@pytest.mark.parametrize("node_type", list(NODES), ids=lambda each: each.name)
def test_every_setting_is_described_for_the_editor(node_type: NodeType) -> None:
    schema = node_type.config.model_json_schema()
    shared = set(NODES.get("start").config.model_json_schema()["properties"])
    for name, setting in schema["properties"].items():
        assert name in shared or setting.get("description"), f"{node_type.name}.{name} has no description"
    assert node_type.summary.endswith(".")


def test_expressions_and_literals_are_marked_for_the_compiler() -> None:
    decision = NODES.get("decision-logic").config.model_json_schema()
    assert "x-expression" in str(decision["properties"]["condition"])
    assert "x-expression" in str(decision["$defs"]["Case"]["properties"]["when"])
    webhook = NODES.get("webhook-trigger").config.model_json_schema()["properties"]
    assert webhook["secret"]["x-literal"]
    assert webhook["secret"]["writeOnly"]
    assert NODES.get("email").config.model_json_schema()["properties"]["html"]["x-escape"] == "html"


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_nodes_are_pure(file: Path) -> None:
    """Standard library and readers of formats only: no Django, no HTTP client, nothing that opens a connection."""
    roots = set()
    for each in ast.walk(ast.parse(file.read_text())):
        if isinstance(each, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in each.names}
        elif isinstance(each, ast.ImportFrom):
            roots.add((each.module or "").split(".")[0])
    assert roots - ALLOWED <= sys.stdlib_module_names
    assert not roots & {"http", "socket", "smtplib", "ssl"}
    assert file.name in THE_CHILD or not roots & {"subprocess", "os"}
