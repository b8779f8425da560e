"""The catalogue's files: sound, canonical, and worth having."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from template_running import CATALOGUE, rows

from engine.graph import check
from templates_app.blanks import fill
from templates_app.entries import BadEntry, Entry, entries
from templates_app.substitution import substituted
from workflows.shapes import read_definition

AVAILABLE = {
    "start", "form-input", "webhook-trigger", "data-transformation", "decision-logic", "api-integration",
    "email-sender", "ai-text-processing", "file-processor", "output-formatter", "merge",
}  # fmt: skip
each_entry = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE.keys())


def test_the_catalogue_has_twelve_templates() -> None:
    assert list(CATALOGUE) == [
        "appointment-confirmation", "daily-report", "deal-follow-up", "discount-approval", "inventory-sync",
        "invoice-triage", "lead-qualification", "lost-lead-win-back", "review-request", "service-reminder",
        "support-routing", "trade-in-appraisal-request",
    ]  # fmt: skip


@each_entry
def test_a_definition_is_stored_in_canonical_form(entry: Entry) -> None:
    assert read_definition({"definition": entry.definition}) == entry.definition


@each_entry
def test_a_definition_has_no_problem_before_and_after_its_blanks_are_filled(entry: Entry) -> None:
    filled = substituted(entry.definition, fill(rows(entry), entry.example_parameters))
    assert check(entry.definition) == []
    assert check(filled) == []
    assert {node["type"] for node in filled["nodes"]} <= AVAILABLE
    blanks = "|".join(each.name for each in entry.parameters)
    assert not re.search(r"\{\{\s*(" + blanks + r")\s*\}\}", json.dumps(filled))


@each_entry
def test_every_parameter_is_used_and_no_run_time_input_has_its_name(entry: Entry) -> None:
    text = json.dumps(entry.definition)
    names = {each.name for each in entry.parameters}
    assert [name for name in names if not re.search(rf"(?<![.\w]){name}\b", text)] == []
    fields = {
        field["name"]
        for node in entry.definition["nodes"]
        for field in node["config"].get("fields", [])
        if isinstance(node["config"].get("fields"), list)
    }
    assert names & (fields | set(entry.example_inputs)) == set()


@each_entry
def test_nodes_lie_from_left_to_right_and_not_on_each_other(entry: Entry) -> None:
    places = {node["id"]: (node["position"]["x"], node["position"]["y"]) for node in entry.definition["nodes"]}
    assert len(set(places.values())) == len(places)
    for edge in entry.definition["edges"]:
        assert places[edge["source_node_id"]][0] < places[edge["target_node_id"]][0], edge["id"]


def _file(folder: Path, **changes: Any) -> Path:
    entry = {
        "slug": "one", "name": "One", "description": "D", "category": "sales", "definition": {}, "example_inputs": {},
        **changes,
    }  # fmt: skip
    path = folder / f"{entry['slug']}.json"
    path.write_text(json.dumps(entry))
    return path


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ({"name": "inputs", "type": "string", "label": "L"}, "means something else in expressions"),
        ({"name": "a-b", "type": "string", "label": "L"}, "parameters.0.name"),
        ({"name": "a", "type": "select", "label": "L"}, "select and multiselect have options"),
        (
            {"name": "a", "type": "email", "label": "L", "default_value": "nobody"},
            "the default must be an e-mail address",
        ),
        ({"name": "a", "type": "date", "label": "L"}, "parameters.0.type"),
    ],
)
def test_a_file_with_a_wrong_parameter_is_refused(tmp_path: Path, parameter: dict[str, Any], told: str) -> None:
    _file(tmp_path, parameters=[parameter])
    with pytest.raises(BadEntry) as refusal:
        entries(tmp_path)
    assert str(refusal.value).startswith("one.json: ")
    assert told in str(refusal.value)


def test_a_file_bears_the_name_of_its_slug(tmp_path: Path) -> None:
    _file(tmp_path).rename(tmp_path / "two.json")
    with pytest.raises(BadEntry, match=r"two\.json: its slug is 'one'; name the file one\.json\."):
        entries(tmp_path)
