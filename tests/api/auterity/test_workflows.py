"""`/api/workflows`: both documented shapes in and out, versions, drafts."""

from __future__ import annotations

from typing import Any

import pytest

from executions.models import Execution, ExecutionStatus
from tests.api.graphs import DRAFT, FOLLOW_UP, FORM_OF_000, chain
from tests.api.people import Api, Person, refusal
from tests.api.shapes import PAGE, STATS, WORKFLOW, WORKFLOW_SUMMARY, wrong
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db

PATH = "/api/workflows"


def at(workflow: dict[str, Any], *rest: str) -> str:
    return "/".join([PATH, workflow["id"], *rest])


@pytest.fixture
def follow_up(api: Api) -> dict[str, Any]:
    return api.made(PATH, FOLLOW_UP)


def test_the_workflow_of_001_comes_back_under_the_names_of_both_documents(ann: Person) -> None:
    answer = ann.api.post(PATH, FOLLOW_UP)
    assert answer.status_code == 201
    body = answer.json()
    assert wrong(body, WORKFLOW) == []
    assert (body["name"], body["description"]) == (FOLLOW_UP["name"], FOLLOW_UP["description"])
    assert (body["is_active"], body["version"], body["problems"]) == (True, 1, [])
    assert (body["created_by"], body["organization_id"]) == (str(ann.actor.user_id), str(ann.actor.organization_id))
    assert body["definition"] == {"nodes": body["nodes"], "edges": body["edges"]}
    for sent, got in zip(FOLLOW_UP["definition"]["nodes"], body["nodes"], strict=True):
        assert {name: got[name] for name in sent} == sent
        assert got["title"] == sent["data"]["label"]
        assert got["config"] == {name: value for name, value in sent["data"].items() if name != "label"}
    (edge,) = body["edges"]
    assert (
        (edge["source"], edge["target"]) == (edge["source_node_id"], edge["target_node_id"]) == ("start", "send_email")
    )


def test_the_form_of_000_comes_back_with_every_field(api: Api) -> None:
    body = api.made(PATH, FORM_OF_000)
    assert wrong(body, WORKFLOW) == []
    for name in ("nodes", "edges", "variables", "triggers", "settings"):
        for sent, got in zip(list(FORM_OF_000[name]), list(body[name]), strict=True):
            assert ({key: got[key] for key in sent} if isinstance(sent, dict) else got) == sent
    assert body["nodes"][1]["data"] == {"label": "Add up", "set": {"total": "{{ inputs.amount }}"}}


def test_reading_adds_the_figures_of_001(api: Api, follow_up: dict[str, Any]) -> None:
    body = api.get(at(follow_up)).json()
    assert wrong(body, {**WORKFLOW, "execution_stats": STATS}) == []
    assert body["execution_stats"]["total_executions"] == 0
    assert {name: body[name] for name in follow_up} == follow_up


def test_the_list_has_the_keys_of_both_documents(api: Api, follow_up: dict[str, Any]) -> None:
    body = api.get(f"{PATH}?page=1&page_size=10&is_active=true").json()
    assert wrong(body, {**PAGE, "workflows": [WORKFLOW_SUMMARY]}) == []
    (row,) = body["workflows"]
    assert (row["id"], row["execution_count"], row["last_execution"]) == (follow_up["id"], 0, None)


def test_lists_are_filtered_and_newest_first(api: Api, follow_up: dict[str, Any]) -> None:
    api.made(PATH, {**DRAFT, "category": "sales", "description": "One FOLLOWS the other, 100%_sure"})

    def names(query: str) -> list[str]:
        return [each["name"] for each in api.get(f"{PATH}?{query}").json()["workflows"]]

    assert names("") == ["Draft", FOLLOW_UP["name"]]
    assert names("is_active=false") == ["Draft"]
    assert names("search=FOLLOW-UP") == [FOLLOW_UP["name"]]
    assert names("search=follow") == ["Draft", FOLLOW_UP["name"]]
    assert names("search=0%25_s") == ["Draft"]
    assert names("search=%25") == ["Draft"]  # Not a wildcard.
    assert names("category=sales") == ["Draft"]
    assert names("category=sale") == []


def test_a_change_keeps_what_is_left_out(api: Api, follow_up: dict[str, Any]) -> None:
    body = api.put(at(follow_up), {"name": "Renamed", "is_active": False, "version": 1}).json()
    changed = {"name": "Renamed", "is_active": False, "updated_at": body["updated_at"], "revision": 2}
    assert body == follow_up | changed
    assert body["updated_at"] >= follow_up["updated_at"]


def test_patch_is_the_same(api: Api, follow_up: dict[str, Any]) -> None:
    body = api.patch(at(follow_up), {"description": ""}).json()
    assert (body["description"], body["name"], body["version"]) == ("", FOLLOW_UP["name"], 1)


@pytest.mark.parametrize("place", ["definition", "top"])
@pytest.mark.parametrize("key", ["data", "config"])
def test_a_client_that_edits_one_of_data_and_config_wins(
    api: Api, follow_up: dict[str, Any], place: str, key: str
) -> None:
    read = api.get(at(follow_up)).json()
    read["nodes"][1][key]["to"] = read["definition"]["nodes"][1][key]["to"] = "boss@example.com"
    sent = (
        {"definition": read["definition"]}
        if place == "definition"
        else {"nodes": read["nodes"], "edges": read["edges"]}
    )
    body = api.put(at(follow_up), sent).json()
    node = body["nodes"][1]
    assert node["config"]["to"] == node["data"]["to"] == "boss@example.com"
    assert node["config"]["template"] == "follow_up_template"
    assert body["version"] == 2


@pytest.mark.parametrize("key", ["title", "label"])
def test_a_client_that_edits_one_of_title_and_label_wins(api: Api, follow_up: dict[str, Any], key: str) -> None:
    definition = api.get(at(follow_up)).json()["definition"]
    (definition["nodes"][1] if key == "title" else definition["nodes"][1]["data"])[key] = "Write to them"
    node = api.put(at(follow_up), {"definition": definition}).json()["nodes"][1]
    assert node["title"] == node["data"]["label"] == "Write to them"


def test_sending_back_what_was_read_makes_no_new_version(api: Api, follow_up: dict[str, Any]) -> None:
    assert api.put(at(follow_up), api.get(at(follow_up)).json()).json()["version"] == 1
    assert WorkflowVersion.unscoped.count() == 1


def test_a_client_of_000_that_edits_the_top_level_of_the_whole_object_wins(api: Api, follow_up: dict[str, Any]) -> None:
    read = api.get(at(follow_up)).json()
    read["nodes"][1]["config"]["to"] = "boss@example.com"
    assert api.put(at(follow_up), read).json()["nodes"][1]["config"]["to"] == "boss@example.com"


def test_a_client_of_001_that_edits_only_the_end_of_an_edge_wins(api: Api) -> None:
    made = api.made(PATH, chain("a", "b"))
    definition = made["definition"]
    definition["edges"][1]["source"] = "start"
    (_, edge) = api.put(at(made), {"definition": definition}).json()["edges"]
    assert (edge["source"], edge["source_node_id"]) == ("start", "start")


def test_an_edit_of_an_older_version_is_a_conflict(api: Api, follow_up: dict[str, Any]) -> None:
    api.put(at(follow_up), chain("a"))
    error = refusal(api.put(at(follow_up), {"name": "Late", "version": 1}), 409, "WF_004")
    assert {name: error["details"][name] for name in ("given", "current")} == {"given": 1, "current": 2}
    assert api.get(at(follow_up)).json()["name"] == "Chain"


@pytest.mark.parametrize("body", [{}, {"unknown": 1}])
def test_a_change_of_nothing_is_refused(api: Api, follow_up: dict[str, Any], body: dict[str, Any]) -> None:
    refusal(api.put(at(follow_up), body), 400, "VAL_001")


def test_a_draft_with_problems_is_saved_inactive_and_says_them(api: Api) -> None:
    body = api.made(PATH, DRAFT)
    assert body["is_active"] is False
    assert [(each["node_id"], each["severity"]) for each in body["problems"] if "to" in each["field"]] == [
        ("mail", "error")
    ]
    refusal(api.post(at(body, "execute"), {}), 400, "WF_002")


def test_a_draft_is_not_activated_and_the_refusal_teaches(api: Api) -> None:
    draft = api.made(PATH, DRAFT)
    for answer in (
        api.post(at(draft, "activate")),
        api.put(at(draft), {"is_active": True}),
        api.post(PATH, {**DRAFT, "is_active": True}),
    ):
        error = refusal(answer, 400, "VAL_001")
        assert error["message"] == "The workflow definition has problems."
        fields = {each["field"]: each["reason"] for each in error["details"]["problems"]}
        place = next(field for field in fields if field.endswith("to"))
        assert "mail" in place
        assert len(fields[place]) > 10
    assert Workflow.unscoped.filter(is_active=True).count() == 0


def test_activating_and_deactivating(api: Api, follow_up: dict[str, Any]) -> None:
    assert api.post(at(follow_up, "deactivate")).json()["is_active"] is False
    refusal(api.post(at(follow_up, "execute"), {}), 400, "WF_002")
    assert api.post(at(follow_up, "activate")).json()["is_active"] is True


@pytest.mark.parametrize(
    ("definition", "field"),
    [
        ({"nodes": [{"id": "a", "type": "start"}, {"id": "a", "type": "start"}], "edges": []}, "a"),
        ({"nodes": [{"id": "a", "type": "start"}], "edges": [{"id": "e", "source": "a", "target": "b"}]}, "e"),
        ({"nodes": [{"id": "a", "type": "teleport"}], "edges": []}, "a"),
        ({"nodes": [{"type": "start"}], "edges": []}, "nodes[0].id"),
        ({"nodes": ["start"], "edges": []}, "nodes[0]"),
        ({"nodes": {}, "edges": []}, "nodes"),
        ({"nodes": [{"id": "a", "type": "start"}], "edges": [{"id": "e", "source": "a"}]}, "edges[0].target"),
        ({"nodes": [], "edges": [], "variables": [{"name": "x"}, {"name": "x"}]}, "variables[1].name"),
    ],
)
def test_a_bad_graph_is_refused_and_names_the_place(api: Api, definition: dict[str, Any], field: str) -> None:
    answer = api.post(PATH, {"name": "Bad", "definition": definition})
    error = refusal(answer, 400, answer.json()["error"]["code"])
    assert any(field in each["field"] for each in error["details"]["problems"])
    assert Workflow.unscoped.count() == 0


@pytest.mark.parametrize(
    ("part", "field", "wrong"),
    [
        ("nodes", "position", {"x": "1", "y": 2}),
        ("nodes", "position", {"x": 1}),
        ("nodes", "title", 7),
        ("nodes", "description", ["x"]),
        ("nodes", "inputs", "in"),
        ("nodes", "outputs", [None]),
        ("nodes", "validation", [1]),
        ("edges", "type", "zigzag"),
        ("edges", "type", {}),
        ("edges", "condition", 7),
        ("edges", "source_port", ["out"]),
        ("edges", "target_port", 7),
        ("variables", "type", "colour"),
        ("variables", "description", 7),
        ("triggers", "type", "whim"),
        ("triggers", "config", "daily"),
        ("settings", "timeout_seconds", "soon"),
        ("settings", "timeout_seconds", 0),
        ("settings", "max_retries", -1),
    ],
)
def test_a_field_of_another_type_than_documented_is_named(api: Api, part: str, field: str, wrong: Any) -> None:
    body: dict[str, Any] = chain("a", "b") | {
        "variables": [{"name": "v"}],
        "triggers": [{"type": "manual"}],
        "settings": {},
    }
    holder = body["definition"] if part in ("nodes", "edges") else body
    target = holder[part] if part == "settings" else holder[part][0]
    target[field] = wrong
    place = f"{part}.{field}" if part == "settings" else f"{part}[0].{field}"
    assert refusal(api.post(PATH, body), 400, "VAL_001")["details"]["field"] == place
    target[field] = None  # As if it had been left out.
    assert api.post(PATH, body).status_code == 201


def test_a_cycle_is_refused(api: Api) -> None:
    body = chain("a", "b")
    body["definition"]["edges"].append({"id": "back", "source": "b", "target": "a"})
    refusal(api.post(PATH, body), 400, "VAL_001")


def test_a_workflow_without_a_definition_is_refused(api: Api) -> None:
    assert refusal(api.post(PATH, {"name": "x"}), 400, "VAL_002")["details"]["field"] == "definition"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_a_name_has_1_to_200_characters(api: Api, name: str) -> None:
    assert refusal(api.post(PATH, {**FOLLOW_UP, "name": name}), 400, "VAL_001")["details"]["field"] == "name"


def test_deleting_hides_it_and_keeps_its_executions_readable(api: Api, follow_up: dict[str, Any]) -> None:
    run = api.made(at(follow_up, "execute"), {})["execution_id"]
    refusal(api.delete(at(follow_up)), 409, "WF_004")
    assert api.get(at(follow_up)).status_code == 200
    api.post(f"{PATH}/executions/{run}/cancel")
    answer = api.delete(at(follow_up))
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (api.get(at(follow_up)), api.put(at(follow_up), {"name": "x"}), api.delete(at(follow_up))):
        refusal(gone, 404, "WF_001")
    assert api.get(PATH).json()["workflows"] == []
    assert api.get(f"{PATH}/executions/{run}").json()["status"] == "cancelled"
    assert [each["id"] for each in api.get(at(follow_up, "executions")).json()["executions"]] == [run]
    refusal(api.post(f"{PATH}/executions/{run}/run-again"), 404, "WF_001")


def test_validate_says_everything_and_stores_nothing(api: Api) -> None:
    body = api.post(f"{PATH}/validate", DRAFT).json()
    assert body["valid"] is False
    assert {"message", "field", "node_id", "edge_id", "severity"} == set(body["problems"][0])
    assert api.post(f"{PATH}/validate", FOLLOW_UP).json() == {"valid": True, "problems": []}
    assert Workflow.unscoped.count() == 0
    draft = api.made(PATH, DRAFT)
    assert api.post(at(draft, "validate")).json()["problems"] == body["problems"]


def test_versions_are_listed_read_and_restored(api: Api, follow_up: dict[str, Any]) -> None:
    api.put(at(follow_up), chain("a"))
    listed = api.get(at(follow_up, "versions")).json()
    assert [each["version"] for each in listed["versions"]] == [2, 1]
    first = api.get(at(follow_up, "versions", "1")).json()
    assert first["definition"] == follow_up["definition"]
    restored = api.post(at(follow_up, "versions", "1", "restore")).json()
    assert (restored["version"], restored["definition"]) == (3, follow_up["definition"])
    for number in ("9", str(2**63), "9" * 300):
        refusal(api.get(at(follow_up, "versions", number)), 404, "WF_001")
        refusal(api.post(at(follow_up, "versions", number, "restore")), 404, "WF_001")


def test_there_is_no_version_0(api: Api, follow_up: dict[str, Any]) -> None:
    refusal(api.get(at(follow_up, "versions", "0")), 404, "WF_001")


def test_the_node_types_tell_an_editor_what_it_needs(api: Api) -> None:
    body = api.get(f"{PATH}/node-types").json()
    types = {each["type"]: each for each in body["node_types"]}
    assert {"start", "email-sender", "decision-logic", "data-transformation", "api-integration"} <= set(types)
    assert "email" in types["email-sender"]["aliases"]
    assert types["email-sender"]["config_schema"]["properties"]["to"]["description"]
    assert body["functions"]


def test_a_viewer_reads_and_changes_nothing(viewer: Person, follow_up: dict[str, Any]) -> None:
    assert viewer.api.get(PATH).json()["total"] == 1
    assert viewer.api.get(at(follow_up)).status_code == 200
    for answer in (
        viewer.api.post(PATH, FOLLOW_UP),
        viewer.api.put(at(follow_up), {"name": "x"}),
        viewer.api.delete(at(follow_up)),
        viewer.api.post(at(follow_up, "activate")),
        viewer.api.post(at(follow_up, "deactivate")),
        viewer.api.post(at(follow_up, "execute"), {}),
        viewer.api.post(at(follow_up, "versions", "1", "restore")),
    ):
        assert "required" in refusal(answer, 403, "AUTH_003")["details"]
    assert (Workflow.unscoped.count(), Execution.unscoped.count()) == (1, 0)


def test_a_member_makes_and_runs_but_does_not_delete(member: Person, follow_up: dict[str, Any]) -> None:
    assert member.api.post(PATH, FOLLOW_UP).status_code == 201
    assert member.api.post(at(follow_up, "execute"), {}).status_code == 202
    refusal(member.api.delete(at(follow_up)), 403, "AUTH_003")
    assert Execution.unscoped.get().status == ExecutionStatus.PENDING
