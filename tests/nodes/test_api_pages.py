"""`pagination` of api-integration."""

import json
from typing import Any

import pytest

from engine.node import Failed
from engine.ports import HttpAnswer, Unavailable
from engine.testing import FakeStep, ScriptedHttp, answer, memory_ports, problems_of, run_node
from nodes.settings.following import next_link

URL = "https://api.example.com/leads"


def page(body: Any, link: str = "") -> HttpAnswer:
    return answer(json.dumps(body), headers={"Content-Type": "application/json", **({"Link": link} if link else {})})


def follow(pagination: dict[str, Any], *answers: HttpAnswer | Exception, **config: Any) -> tuple[Any, list[Any]]:
    ports = memory_ports(answers=answers)
    outcome = run_node("api-integration", {"url": URL, "pagination": pagination, **config}, FakeStep(ports=ports))
    assert isinstance(ports.http, ScriptedHttp)
    return outcome, [(call.url, dict(call.query)) for call in ports.http.calls]


def test_links_are_followed_to_the_last_page() -> None:
    outcome, asked = follow(
        {"type": "link"},
        page([1, 2], f'<{URL}?page=2>; rel="next", <{URL}?page=9>; rel="last"'),
        page([3]),
        query={"size": 2},
    )
    assert (outcome.output["body"], outcome.output["pages"], outcome.output["truncated"]) == ([1, 2, 3], 2, False)
    assert asked == [(URL, {"size": 2}), (f"{URL}?page=2", {})]


def test_cursors_are_followed() -> None:
    outcome, asked = follow(
        {"type": "cursor", "cursor": "meta.next", "parameter": "after", "items": "data.rows"},
        page({"data": {"rows": [1]}, "meta": {"next": "abc"}}),
        page({"data": {"rows": [2]}, "meta": {"next": None}}),
    )
    assert outcome.output["body"] == [1, 2]
    assert asked == [(URL, {}), (URL, {"after": "abc"})]


def test_numbers_are_counted_until_a_page_is_empty() -> None:
    outcome, asked = follow(
        {"type": "page"}, page({"items": [1]}), page({"items": [2]}), page({"items": []}), query={"page": 4}
    )
    assert (outcome.output["body"], outcome.output["pages"]) == ([1, 2], 3)
    assert [query["page"] for _, query in asked] == [4, 5, 6]


def test_it_ends_at_max_pages_and_says_so() -> None:
    outcome, asked = follow({"type": "page", "max_pages": 2}, page([1]), page([2]), page([3]))
    assert (outcome.output["body"], outcome.output["truncated"], len(asked)) == ([1, 2], True, 2)


def test_a_cursor_that_stays_ends_it() -> None:
    outcome, asked = follow(
        {"type": "cursor"}, page({"items": [1], "next_cursor": "a"}), page({"items": [2], "next_cursor": "a"})
    )
    assert (outcome.output["body"], len(asked)) == ([1, 2], 2)


def test_much_is_cut_off() -> None:
    large = page(["x" * 2_000_000])
    outcome, _ = follow({"type": "page"}, large, large, large)
    assert (outcome.output["pages"], outcome.output["truncated"]) == (1, True)


@pytest.mark.parametrize(
    "link",
    [
        "<https://evil.example/leads?page=2>; rel=next",
        "<http://api.example.com/leads>; rel=next",
        "<//evil.example/>; rel=next",
    ],
)
def test_no_page_at_another_place_is_asked_for(link: str) -> None:
    outcome, asked = follow({"type": "link"}, page([1], link), headers={"Authorization": "Bearer secret"})
    assert isinstance(outcome, Failed)
    assert "another place" in outcome.message
    assert len(asked) == 1


def test_a_page_that_fails_is_named() -> None:
    outcome, _ = follow({"type": "page"}, page([1]), answer("no", status=503))
    assert (outcome.code, outcome.details["page"]) == ("unavailable", 2)
    with pytest.raises(Unavailable):
        follow({"type": "page"}, page([1]), Unavailable("gone"))
    outcome, _ = follow({"type": "page"}, page({"one": 1}))
    assert "holds no list" in outcome.message


def test_mistakes_are_found_when_it_is_saved() -> None:
    config = {"url": URL, "pagination": {"type": "page"}}
    assert [where for where, _ in problems_of("api-integration", {**config, "method": "POST"})] == ["pagination"]
    assert problems_of("api-integration", config) == []
    assert problems_of("api-integration", {"url": "leads", "connection_id": "c1"}) == []


def test_a_connection_is_asked_instead() -> None:
    own = ScriptedHttp([answer('{"id": 1}')])
    ports = memory_ports(connections={"c1": own})
    outcome = run_node("api-integration", {"url": "leads", "connection_id": "c1"}, FakeStep(ports=ports))
    assert outcome.output["body"] == {"id": 1}
    assert [each.url for each in own.calls] == ["leads"]
    assert ports.http.calls == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a.example/2>; rel="next"', "https://a.example/2"),
        ("</p?c=1,2>; rel=next; title=x", "/p?c=1,2"),
        ('<a>; rel="prev", <b>; title="n, x"; rel="first next"', "b"),
        ('<a>; rel="prev"', ""),
        ("", ""),
        ("<" * 10_000, ""),
        ('<a>; rel="next' * 1000, ""),
    ],
)
def test_link_headers(header: str, target: str) -> None:
    assert next_link(header) == target
