"""Files through the served product: large ones come and go in pieces, and who brings no token may not send one."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.people import Person
from tests.api.serving import Server
from tests.artefacts.uploads import MEDIA, file_body

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = b"id,name\n" + b"".join(
    b"%d,Customer %d\n" % (n, n) for n in range(500_000)
)  # 11 MB: more than any other body may have


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    with Server() as running:
        yield running
        running.settle()


def ask(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def test_a_large_file_goes_in_and_comes_out(server: Server, ann: Person) -> None:
    token = f"Bearer {ann.api.token}"
    raw = file_body("customers.csv", ROWS, "text/csv")
    status, _, content = ask(server, "POST", "/api/files", raw, Authorization=token, Content_Type=MEDIA)
    assert status == 201, content
    (made,) = ann.api.get("/api/files").json()["files"]
    assert made["size"] == len(ROWS)
    path = f"/api/files/{made['id']}/content"
    status, headers, content = ask(server, "GET", path, Authorization=token)
    assert (status, content == ROWS) == (200, True)
    assert (headers["content-length"], headers["x-content-type-options"]) == (str(len(ROWS)), "nosniff")
    status, headers, content = ask(server, "GET", path, Authorization=token, Range="bytes=-10")
    assert (status, content) == (206, ROWS[-10:])


@pytest.mark.parametrize(
    ("path", "token"),
    [("/api/files", ""), ("/api/files", "x.y.z"), ("/api/files", "refresh"), ("/api/workflows", "good")],
)
def test_a_large_body_without_a_token_or_elsewhere_is_not_taken(
    server: Server, ann: Person, path: str, token: str
) -> None:
    sent = {"good": ann.api.token, "refresh": ann.tokens.refresh_token}.get(token, token)
    headers = {"Content_Type": MEDIA, "Authorization": f"Bearer {sent}"}
    try:
        status, _, _ = ask(server, "POST", path, file_body("customers.csv", ROWS, "text/csv"), **headers)
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # It answered and hung up before everything was sent.
    assert status == 413
    assert ann.api.get("/api/files").json()["total"] == 0
