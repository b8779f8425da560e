"""Schemathesis' hook module: its own check of refused data, less what this product takes on purpose.

An empty query value means that the parameter was not sent, null in a body that the key was left out, and a scalar that can be
read as what is wanted is read so (`"5"` as 5, 0 as false, a number as a moment in Unix seconds), as forms and older clients
write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_SPOKEN = {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n"}


@schemathesis.check
def refuses_what_breaks_the_schema(ctx: Any, response: Any, case: Any) -> bool | None:
    query = (case.query or {}).values()
    if any(not value or value == [""] or _can_be_read(value) for value in query):
        return None
    if isinstance(case.body, dict) and any(_can_be_read(value) for value in _scalars(case.body)):
        return None
    return negative_data_rejection(ctx, response, case)


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _scalars(each)
    else:
        yield value


def _can_be_read(value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float):
        return True
    return isinstance(value, str) and (value.lower() in _SPOKEN or bool(_NUMBER.fullmatch(value.strip())))
