"""Schemathesis' hook module: its own check of refused data, less what this product takes on purpose.

An empty query value means that the parameter was not sent, and of one that is sent twice the last counts. Null in a body means
that the key was left out. A scalar that can be read as what is wanted is read so (`"5"` as 5, 0 as false, a number as a moment in
Unix seconds), as forms and older clients write them.

Most requests of the corners that a schema has are values of a wrong type, each type in each place. One code refuses them all, so
that the short form asks a third of them; the long one (`make fuzz`) asks all.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_OF_WRONG_TYPES = 1 if os.environ.get("AUTERITY_FUZZ") else 3
_SPOKEN = {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n"}


_seen: Counter[str] = Counter()


@schemathesis.hook
def filter_case(ctx: Any, case: Any) -> bool:
    about = case.meta.phase.data if case.meta is not None else None
    if "Incorrect type" not in str(getattr(about, "description", "")):
        return True
    _seen[case.operation.label] += 1
    return _seen[case.operation.label] % _OF_WRONG_TYPES == 0


@schemathesis.check
def refuses_what_breaks_the_schema(ctx: Any, response: Any, case: Any) -> bool | None:
    query = [_last(value) for value in (case.query or {}).values()]
    if any(not value or _can_be_read(value) for value in (*query, *_sent(response))):
        return None
    if isinstance(case.body, dict) and any(_can_be_read(value) for value in _scalars(case.body)):
        return None
    return negative_data_rejection(ctx, response, case)


def _sent(response: Any) -> Iterator[str]:
    """The query as it came: an object is sent as its keys and values, {"limit": ""} as `limit=`."""
    came = parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True)
    yield from dict(came).values()


def _last(value: Any) -> Any:
    """Of a parameter that was sent twice, the last one counts."""
    return value[-1] if isinstance(value, list) and value else value


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
