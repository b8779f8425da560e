"""A customer's REST API: the credential goes to its own origin and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from engine.ports import HttpCall, Rejected
from integrations.connection_types import CONNECTION_TYPES
from integrations.providers.http.custom_rest import TOKENS

pytestmark = pytest.mark.usefixtures("loopback")

SECRET = "rest-marker-secret"


@pytest.fixture
def rest(server: HTTPServer) -> Any:
    def make(credentials: dict[str, str], **config: Any) -> Any:
        about = {"base_url": server.url_for("/v1"), **config}
        return CONNECTION_TYPES.get("custom_rest").create(about, credentials)

    return make


@pytest.mark.parametrize(
    ("credentials", "header", "value"),
    [
        ({"token": SECRET}, "Authorization", f"Bearer {SECRET}"),
        ({"api_key": SECRET}, "X-API-Key", SECRET),
        ({"api_key": SECRET, "header": "X-Own"}, "X-Own", SECRET),
        ({"username": "ann", "password": "pw"}, "Authorization", "Basic YW5uOnB3"),
    ],
)
def test_the_credential_goes_along(server: HTTPServer, rest: Any, credentials: Any, header: str, value: str) -> None:
    server.expect_request("/v1/leads").respond_with_data("[1]")
    call = HttpCall("k", "GET", "leads", {"a": 1}, {header.lower(): "forged", "X-More": "1"})
    assert rest(credentials, headers={"X-Always": "yes"}).call(call, timeout=5).body == b"[1]"
    [(request, _)] = server.log
    assert request.headers.getlist(header) == [value]
    assert (request.headers["X-Always"], request.headers["X-More"], request.args["a"]) == ("yes", "1", "1")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/leads",
        "http://127.0.0.1:1/v1",
        "HTTP://127.0.0.1:1/",
        "http://127.0.0.1@evil.example/",
        "http://[::1]/",
    ],
)
def test_another_origin_is_refused_before_anything_is_sent(server: HTTPServer, rest: Any, url: str) -> None:
    with pytest.raises(Rejected) as refused:
        rest({"token": SECRET}).call(HttpCall("k", "GET", url), timeout=5)
    assert SECRET not in refused.value.message
    assert server.log == []


def test_odd_paths_stay_at_the_origin(server: HTTPServer, rest: Any) -> None:
    server.expect_request("/v1//evil.example/x").respond_with_data("here")
    server.expect_request("/v1/evil.example/x").respond_with_data("here")
    assert rest({"token": SECRET}).call(HttpCall("k", "GET", "//evil.example/x"), timeout=5).body == b"here"
    assert (
        rest({"token": SECRET}).call(HttpCall("k", "GET", server.url_for("/v1/evil.example/x")), timeout=5).status
        == 200
    )


def test_a_redirect_is_an_answer_and_is_not_followed(server: HTTPServer, rest: Any) -> None:
    server.expect_request("/v1/leads").respond_with_data("", 302, {"Location": "https://evil.example/"})
    assert rest({"token": SECRET}).call(HttpCall("k", "GET", "leads"), timeout=5).status == 302
    assert len(server.log) == 1


def oauth(server: HTTPServer, **more: str) -> dict[str, str]:
    return {"client_id": "app", "client_secret": SECRET, "token_url": server.url_for("/token"), **more}


def test_a_token_is_fetched_once_and_anew_when_it_is_refused(server: HTTPServer, rest: Any) -> None:
    given: list[str] = []

    def give(request: Request) -> Response:
        assert request.get_data() == b"grant_type=client_credentials&scope=read"
        given.append(f"t{len(given)}")
        return Response(f'{{"access_token": "{given[-1]}", "expires_in": 3600}}', content_type="application/json")

    def take(request: Request) -> Response:
        return Response("ok", 200 if request.headers["Authorization"] == f"Bearer {good[0]}" else 401)

    good = ["t0"]
    server.expect_request("/token", method="POST").respond_with_handler(give)
    server.expect_request("/v1/leads").respond_with_handler(take)
    port = rest(oauth(server, scope="read"))
    for _ in range(2):
        assert port.call(HttpCall("k", "GET", "leads"), timeout=5).status == 200
    assert given == ["t0"]
    good[0] = "t1"
    assert port.call(HttpCall("k", "GET", "leads"), timeout=5).status == 200
    assert given == ["t0", "t1"]


def test_a_token_server_that_refuses_is_told(server: HTTPServer, rest: Any) -> None:
    TOKENS._kept.clear()
    server.expect_request("/token").respond_with_json({"error": "invalid_client"}, 401)
    with pytest.raises(Rejected, match=r"The token server refused the credentials \(401\): invalid_client"):
        rest(oauth(server, client_id="other")).call(HttpCall("k", "GET", "leads"), timeout=5)
    assert [request.path for request, _ in server.log] == ["/token"]


@pytest.mark.parametrize(
    ("status", "more", "works"), [(204, {}, True), (404, {"expected_status": [404]}, True), (401, {}, False)]
)
def test_it_can_be_tried(server: HTTPServer, rest: Any, status: int, more: Any, works: bool) -> None:
    server.expect_request("/v1/health").respond_with_data("", status)
    port = rest({"token": SECRET}, health_path="/health", **more)
    if works:
        assert port.check(timeout=5) == f"The API answered {status}."
    else:
        with pytest.raises(Rejected):
            port.check(timeout=5)
