"""Drafts, publishing, differences and going back, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.graphs import chain
from tests.api.people import Api, Person, refusal

pytestmark = pytest.mark.django_db

PATH = "/api/workflows"


def at(workflow: dict[str, Any], *rest: str) -> str:
    return "/".join([PATH, workflow["id"], *rest])


def graph(*names: str, **more: Any) -> dict[str, Any]:
    return {**chain(*names)["definition"], **more}


@pytest.fixture
def workflow(api: Api) -> dict[str, Any]:
    return api.made(PATH, chain("a", name="Speech"))


def standing(body: dict[str, Any]) -> tuple[int, int | None, bool]:
    return body["version"], body["published_version"], body["has_draft"]


def test_answers_say_what_is_published(api: Api, workflow: dict[str, Any]) -> None:
    assert standing(workflow) == (1, 1, False)
    saved = api.put(at(workflow), {"definition": graph("b"), "draft": True, "note": "Try b"}).json()
    assert standing(saved) == (2, 1, True)
    assert [each["id"] for each in saved["nodes"]] == ["start", "b"]
    assert standing(api.get(at(workflow)).json()) == (2, 1, True)
    assert standing(api.get(PATH).json()["workflows"][0]) == (2, 1, True)
    published = api.post(at(workflow, "publish"), {"version": 2, "published_version": 1}).json()
    assert standing(published) == (2, 2, False)
    created = api.made(PATH, {**chain("x"), "draft": True})
    assert standing(created) == (1, None, True)
    refusal(api.post(at(created, "execute"), {}), 400, "WF_002")


def test_the_list_says_who_made_each_pending_change(api: Api, ann: Person, member: Person) -> None:
    workflow = api.made(PATH, chain("a"))
    member.api.put(at(workflow), {"definition": graph("b"), "draft": True, "note": "Try b"})
    newest, first = api.get(at(workflow, "versions")).json()["versions"]
    assert (newest["version"], newest["pending"], newest["published"], newest["note"]) == (2, True, False, "Try b")
    assert (newest["created_by"], newest["created_by_name"], newest["created_by_email"]) == (
        str(member.actor.user_id),
        "Bob Berg",
        "member@example.com",
    )
    assert (newest["published_at"], newest["published_by"]) == (None, None)
    assert (first["pending"], first["published"], first["published_by"]) == (False, True, str(ann.actor.user_id))


def test_a_conflict_shows_both_values(api: Api, workflow: dict[str, Any]) -> None:
    for name in ("b", "c"):
        api.put(at(workflow), {"definition": graph(name), "draft": True})
    api.post(at(workflow, "publish"), {"version": 2})
    for answer in (
        api.post(at(workflow, "publish"), {"version": 3, "published_version": 1}),
        api.post(at(workflow, "versions", "3", "rollback"), {"published_version": 1}),
    ):
        assert refusal(answer, 409, "WF_004")["details"] == {"given": 1, "current": 2}
    stale = api.put(at(workflow), {"definition": graph("d"), "version": 2, "draft": True})
    details = refusal(stale, 409, "WF_004")["details"]
    assert {name: details[name] for name in ("given", "current", "version")} == {"given": 2, "current": 3, "version": 3}
    assert standing(api.get(at(workflow)).json()) == (3, 2, True)


def test_a_version_that_cannot_run_is_not_published(api: Api, workflow: dict[str, Any]) -> None:
    broken = graph("b")
    broken["nodes"].append({"id": "mail", "type": "email-sender", "config": {}})
    assert standing(api.put(at(workflow), {"definition": broken, "draft": True}).json()) == (2, 1, True)
    error = refusal(api.post(at(workflow, "publish"), {}), 400, "VAL_001")
    assert "nodes.mail.config.to" in [each["field"] for each in error["details"]["problems"]]
    refusal(api.post(at(workflow, "publish"), {"version": 9}), 404, "WF_001")


def test_failing_tests_are_listed_in_the_refusal(api: Api, workflow: dict[str, Any]) -> None:
    case = api.made(at(workflow, "tests"), {"name": "Steps", "assertions": ["output.step == 'a'"]})
    api.put(at(workflow), {"definition": graph("b"), "draft": True})
    error = refusal(api.post(at(workflow, "publish"), {"run_tests": True}), 409, "WF_004")
    (failed,) = error["details"]["failed"]
    assert (failed["id"], failed["message"]) == (case["id"], "output.step == 'a' (it is b).")
    newer = api.post(at(workflow, "publish"), {"run_tests": True}, API_Version="2025-08-08").json()["error"]
    assert newer["details"] == [{"field": "tests.Steps", "message": "output.step == 'a' (it is b)."}]
    assert standing(api.get(at(workflow)).json()) == (2, 1, True)


def test_two_versions_are_compared(api: Api, workflow: dict[str, Any]) -> None:
    second = graph("a", "b", settings={"timeout_seconds": 5})
    second["nodes"][1]["config"] = {"set": {"step": "z"}}
    second["nodes"][0]["position"] = {"x": 5, "y": 6}
    api.put(at(workflow), {"definition": second, "draft": True})
    body = api.get(at(workflow, "versions", "1", "diff", "2")).json()
    assert (body["from_version"], body["to_version"], body["identical"]) == (1, 2, False)
    added, changed = body["nodes"]
    assert (added["kind"], added["key"], added["sentence"]) == (
        "added",
        "b",
        "The node 'b' (data-transformation) was added.",
    )
    assert changed["changes"] == [{"path": "config.set.step", "kind": "changed", "old": "a", "new": "z"}]
    assert [each["sentence"] for each in body["edges"]] == ["The edge from 'a' to 'b' was added."]
    assert [each["sentence"] for each in body["settings"]] == ["The settings: timeout_seconds was set to 5."]
    assert [(each["kind"], each["after"]) for each in body["layout"]] == [("moved", {"x": 5, "y": 6})]
    assert (body["variables"], body["triggers"]) == ([], [])
    assert api.get(at(workflow, "versions", "2", "diff", "2")).json()["identical"] is True
    refusal(api.get(at(workflow, "versions", "1", "diff", "3")), 404, "WF_001")


def test_going_back(api: Api, workflow: dict[str, Any]) -> None:
    api.put(at(workflow), {"definition": graph("b")})
    body = api.post(at(workflow, "versions", "1", "rollback"), {}).json()
    assert standing(body) == (3, 3, False)
    assert body["definition"] == workflow["definition"]


def test_a_long_note_is_refused(api: Api, workflow: dict[str, Any]) -> None:
    answer = api.put(at(workflow), {"definition": graph("b"), "note": "x" * 501})
    assert refusal(answer, 400, "VAL_001")["details"]["field"] == "note"
    assert standing(api.get(at(workflow)).json()) == (1, 1, False)


def test_a_viewer_reads_and_compares_and_publishes_nothing(viewer: Person, api: Api, workflow: dict[str, Any]) -> None:
    api.put(at(workflow), {"definition": graph("b"), "draft": True})
    assert viewer.api.get(at(workflow, "versions", "1", "diff", "2")).status_code == 200
    for answer in (
        viewer.api.post(at(workflow, "publish"), {}),
        viewer.api.post(at(workflow, "versions", "1", "rollback"), {}),
    ):
        refusal(answer, 403, "AUTH_003")
    assert standing(api.get(at(workflow)).json()) == (2, 1, True)
