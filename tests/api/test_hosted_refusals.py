"""What people see on a hosted page when something is wrong: a page, never JSON and never a trace."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import OperationalError
from django.http.multipartparser import MultiPartParserError

from tests.api.people import Api

pytestmark = pytest.mark.django_db

PATHS = ["/answer/nothing", "/forms/018f0000-0000-7000-8000-000000000000/start"]


def page(answer: Any, status: int) -> str:
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Request-ID"]
    text: str = answer.content.decode()
    return text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError("10.1.2.3 refused"), 503), (ZeroDivisionError("secret"), 500)]
)
def test_a_database_that_is_away_and_a_defect(anyone: Api, path: str, error: Exception, status: int) -> None:
    with (
        mock.patch("executions.people.read_link", side_effect=error),
        mock.patch("executions.forms.form_of", side_effect=error),
    ):
        answer = anyone.get(path)
    text = page(answer, status)
    assert "10.1.2.3" not in text
    assert "secret" not in text
    assert (answer.headers.get("Retry-After") is not None) == (status == 503)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (RequestDataTooBig("too big"), 413, "too large"),
        (TooManyFieldsSent("too many"), 400, "cannot be read"),
        (MultiPartParserError("no boundary"), 400, "cannot be read"),
    ],
)
def test_a_form_that_cannot_be_read(anyone: Api, error: Exception, status: int, said: str) -> None:
    with mock.patch("executions.people.read_link", side_effect=error):
        assert said in page(anyone.post(PATHS[0], raw=b"", media="multipart/form-data"), status)


@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_page_does_not_take(anyone: Api, path: str) -> None:
    answer = anyone.call("DELETE", path)
    page(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert anyone.call("OPTIONS", path).headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    page(anyone.get(path), 404)
