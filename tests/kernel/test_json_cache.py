"""The shared cache holds JSON alone."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from django.utils.module_loading import import_string

from auterity.kernel.json_cache import JsonSerializer, cache_at

JSON = JsonSerializer()


@pytest.mark.parametrize("value", [0, -7, 1.5, True, None, "text", ["a", 1], {"a": [1.5, None]}, []])
def test_what_is_stored_is_read_as_it_was(value: Any) -> None:
    stored = JSON.dumps(value)
    found = JSON.loads(str(stored).encode() if isinstance(stored, int) else stored)
    assert (type(found), found) == (type(value), value)


def test_a_planted_pickle_is_not_read() -> None:
    with pytest.raises(ValueError):
        JSON.loads(pickle.dumps({"planted": True}))


def test_objects_are_no_json() -> None:
    with pytest.raises(TypeError):
        JSON.dumps(object())


def test_the_shared_cache_is_set_to_it() -> None:
    shared = cache_at("redis://127.0.0.1:6379/4")
    assert import_string(shared["OPTIONS"]["serializer"]) is JsonSerializer
