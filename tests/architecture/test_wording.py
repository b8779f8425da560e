"""Every refusal there is can be said by every dialect, with a status that fits its kind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from api.auterity.dialect import AUTERITY
from api.auterity.editions import CODES, EDITIONS
from api.dialect import DIALECTS, Dialect
from auterity.kernel.errors import DomainError, Kind
from tests.api.routes import routes
from tests.architecture.source import modules

STATUSES = {
    Kind.INVALID: {
        400,
        405,
        406,
        409,
        413,
        415,
        422,
        426,
    },  # 409: nothing to confirm (002). 426: an app that is too old (003).
    Kind.UNAUTHENTICATED: {401},
    Kind.FORBIDDEN: {400, 403},  # 400: an inactive account (001).
    Kind.NOT_FOUND: {404},
    Kind.CONFLICT: {
        400,
        409,
        410,
        412,
        422,
    },  # 400: an e-mail that is taken (000, 001). 410: a cursor (003). 412: If-Match.
    Kind.LIMITED: {403, 429},  # 403: an account that is locked (003).
    Kind.UNAVAILABLE: {500, 502, 503},  # 502: another provider's fault (003).
}


def every_error() -> list[type[DomainError]]:
    for path in modules():
        if "errors" in path or path == "api/problems.py":
            import_module(".".join(Path(path).with_suffix("").parts))
    found: list[type[DomainError]] = []
    waiting = [DomainError]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting += each.__subclasses__()
    return [each for each in found if not each.__module__.startswith("tests")]


ERRORS = every_error()


def test_there_are_errors_and_dialects() -> None:
    assert len(ERRORS) >= 25
    assert AUTERITY in list(DIALECTS)


def test_no_two_errors_have_one_slug() -> None:
    slugs = [each.slug for each in ERRORS]
    assert sorted({each for each in slugs if slugs.count(each) > 1}) == []


@pytest.mark.parametrize("dialect", list(DIALECTS), ids=lambda each: each.name)
@pytest.mark.parametrize("error", ERRORS, ids=lambda each: each.__name__)
def test_every_error_is_worded(error: type[DomainError], dialect: Dialect) -> None:
    wording = dialect.wording(error)
    assert wording.status in STATUSES[error.kind]
    assert error.sentence[0].isupper()
    if dialect.name == "auterity":
        assert wording.code in CODES


def test_no_wording_is_for_an_error_that_does_not_exist() -> None:
    slugs = {each.slug for each in ERRORS}
    for dialect in DIALECTS:
        assert set(dialect.slugs) - slugs == set()
        assert set(dialect.kinds) == set(Kind)


def test_the_editions_are_the_documented_ones() -> None:
    assert sorted(EDITIONS) == ["2023-12-01", "2024-01-15", "2025-08-08"]


def test_every_route_belongs_to_a_dialect_and_asks_who_is_there() -> None:
    """Its view is one of `api.base`, so that it is closed unless it says `public`; `test_doors` tries each."""
    for route in routes():
        assert DIALECTS.of_path(route.path) is not None, str(route)
        assert hasattr(route.view, "dialect"), str(route)
