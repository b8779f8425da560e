"""One product for all plays, with people in it and a stand-in for everything outside."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx2
import orjson
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts import clients
from tests.contract.product import Product, outside_settings, product
from tests.contract.world import World
from tests.identity.provider import Provider

CUSTOMER = {
    "dms_customer_id": "C1",
    "first_name": "Jane",
    "last_name": "Smith",
    "email": "jane@example.com",
    "last_updated": "2024-01-15T10:00:00Z",
}


@pytest.fixture(scope="session")
def outside() -> Iterator[HTTPServer]:
    """A model, a custom model, one that fails, a receiver of results, a dealership's system, a mail and an SMS provider."""
    server = HTTPServer(host="127.0.0.1")
    server.expect_request("/v1/chat/completions").respond_with_handler(_completion)
    server.expect_request("/v1/models").respond_with_json(
        {"object": "list", "data": [{"id": "gpt-4", "object": "model"}]}
    )
    server.expect_request("/score").respond_with_json({"output": {"score": 0.9}, "confidence_score": 0.8})
    server.expect_request("/silent").respond_with_data("busy", status=503)
    server.expect_request("/webhook").respond_with_data("taken")
    server.expect_request("/v1/customers").respond_with_json({"customers": [CUSTOMER], "has_more": False})
    server.expect_request("/v1/vehicles").respond_with_json({"vehicles": [], "has_more": False})
    server.expect_request("/v3/mail/send").respond_with_data("", status=202, headers={"X-Message-Id": "mail-1"})
    messages = "/2010-04-01/Accounts/AC1/Messages.json"
    server.expect_request(messages).respond_with_json({"sid": "SM1", "status": "queued"}, status=201)
    server.start()
    yield server
    server.stop()


def _completion(request: Request) -> Response:
    asked = orjson.loads(request.get_data())
    answer = {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 1705314600,
        "model": asked["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "A summary."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16},
    }
    return Response(orjson.dumps(answer), content_type="application/json")


@pytest.fixture(scope="session")
def contract_tools() -> None:
    """The generators, node and Schemathesis, which `make contract` brings. Where CI runs they must be there."""
    if clients.MODULES.exists():
        return
    lacking = "`make contract` has not run, or had no network: there are no client generators and no Schemathesis"
    if os.environ.get("CI"):
        pytest.fail(lacking)
    pytest.skip(lacking)


@pytest.fixture(scope="session")
def google() -> Iterator[Provider]:
    """A provider in Google's place."""
    server = HTTPServer(host="localhost")
    server.start()  # Its port is in the provider's name.
    yield Provider(server)
    server.stop()


@pytest.fixture(scope="session")
def served(outside: HTTPServer, google: Provider) -> Iterator[Product]:
    with product(**outside_settings(outside, google)) as started:
        yield started


@pytest.fixture(scope="session")
def world(served: Product, outside: HTTPServer, google: Provider) -> Iterator[World]:
    with httpx2.Client(base_url=served.url, timeout=40) as client:
        yield World(served, served.people, outside, google, client)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much of the contract was played, over all editions."""
    figures: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if getattr(report, "when", "") == "call" and name.startswith("contract "):
                    figures[name.removeprefix("contract ")] = figures.get(name.removeprefix("contract "), 0) + value
    if figures:
        terminalreporter.write_line(", ".join(f"{value} {name}" for name, value in figures.items()))
