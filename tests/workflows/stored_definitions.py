"""Definitions of every shape, as they are stored, for properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workflows.shapes import read_definition

NAMES = st.sampled_from(["a", "b", "c", "d", "send mail", "größe"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([1.0, 0.5, "1", "", "x\ny", "{{ inputs.a }}"])
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3),
    max_leaves=8,
)
_CONFIGS = {
    "start": st.just({}),
    "data-transformation": st.fixed_dictionaries({"set": st.dictionaries(NAMES, VALUES, max_size=3)}),
    "webhook-trigger": st.fixed_dictionaries({"authentication": st.just("token")}, optional={"secret": TEXTS}),
    "api-integration": st.fixed_dictionaries(
        {"url": st.just("https://crm.example.com")},
        optional={
            "connection_id": st.none()
            | st.sampled_from(["", "018f0000-0000-7000-8000-000000000001", "{{ inputs.c }}"]),
            "headers": st.dictionaries(
                st.sampled_from(["Authorization", "X-Api-Key", "Accept"]),
                st.sampled_from(["s3cret", "{{ inputs.t }}", ""]),
            ),
        },
    ),
}


@st.composite
def _node(draw: Any, node_id: str) -> dict[str, Any]:
    node_type = draw(st.sampled_from(sorted(_CONFIGS)))
    node = {"id": node_id, "type": node_type, "config": draw(_CONFIGS[node_type])}
    if draw(st.booleans()):
        node["title"] = draw(TEXTS)
    if draw(st.booleans()):
        node["position"] = {"x": draw(st.integers(0, 3)), "y": draw(st.integers(0, 3))}
    if draw(st.booleans()):
        node["color"] = draw(VALUES)
    return node


@st.composite
def definitions(draw: Any) -> dict[str, Any]:
    """Canonical, and sound enough to be stored: ids differ, and edges only lead forward."""
    ids = draw(st.lists(NAMES, unique=True, max_size=5))
    pairs = [(a, b) for at, a in enumerate(ids) for b in ids[at + 1 :]]
    drawn = draw(st.lists(st.sampled_from(pairs), max_size=4)) if pairs else []
    read = read_definition(
        {
            "nodes": [draw(_node(each)) for each in ids],
            "edges": [
                {"id": f"e{at}", "source": a, "target": b, "label": draw(TEXTS)} for at, (a, b) in enumerate(drawn)
            ],
            "variables": [
                {"name": each, "default_value": draw(VALUES)} for each in draw(st.lists(NAMES, unique=True, max_size=3))
            ],
            "triggers": draw(st.lists(st.dictionaries(NAMES, VALUES, max_size=2), max_size=2)),
            "settings": draw(st.dictionaries(NAMES, VALUES, max_size=3)),
        }
    )
    assert read is not None
    return read
