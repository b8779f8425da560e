"""G20: more than a hundred and fifty inner addresses, however they are spelled, go into every setting that takes an address, and
into what others say to us that is followed; what was saved is used. Nothing is connected to: a canary listens, and the
interpreter's own audit hook watches every connect. As root the whole gate runs in a network of its own, out of which nothing
can go whatever the guards do. `python -m tests.load.g20_outgoing [--short]`
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tests.load.gates import Figures
from tests.load.outgoing_ways import Use, ways
from tests.load.receivers import Receiver
from tests.load.servers import postgres_binaries, redis_binary, stand_alone
from tests.load.witness_sockets import connections, lookups

SHORT = 4  # of the addresses every slot gets one in so many
NAMED = "localhost"  # A name, so it is looked up.
CLONE_NEWNET, SIOCSIFFLAGS, IFF_UP = 0x40000000, 0x8914, 1  # linux/sched.h, linux/sockios.h, linux/if.h
CUT_OFF = False


def measure(short: bool) -> Figures:
    from django.conf import settings
    from django.test import override_settings

    from tests.api.people import founder
    from tests.providers.test_egress_corpus import REFUSED_URLS

    person = founder(f"outgoing-{time.time_ns()}@example.com", "Outgoing Motors")
    canary = Receiver()
    tried: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    crashed: list[str] = []
    with (
        canary as address, override_settings(EGRESS_ALLOW=[], RATE_LIMITS=False), ways() as (more, ports),
        connections(allowed=_own_ports(settings) | ports) as seen,
    ):  # fmt: skip
        corpus = [*REFUSED_URLS, *spelled(urlsplit(address).port or 0)]
        slots = {**SLOTS, **more}
        for place, (slot, use) in enumerate(slots.items()):
            for at, url in enumerate(corpus):
                if short and (at + place) % SHORT:
                    continue
                tried[slot] += 1
                answered = use(person, url)
                refused[slot] += any(400 <= each < 500 for each in answered)
                bad = [each for each in answered if each >= 500]
                crashed += [f"{slot} {url}: {each}" for each in bad]
    with override_settings(EGRESS_ALLOW=[NAMED]), Receiver() as allowed, lookups() as asked:
        works = _api_call(person, allowed.replace("127.0.0.1", NAMED))
    return {
        "addresses": len(corpus), "slots": len(slots), "tries": sum(tried.values()), "refused_at_once": sum(refused.values()),
        "canary_hits": len(canary.arrived), "connections": len(seen), "where": Counter(seen).most_common(5),
        "crashed": crashed[:10], "allowed_works": works == [200], "lookups_of_one_call": asked.count(NAMED), "cut_off": CUT_OFF,
        "passed": not (canary.arrived or seen or crashed) and len(corpus) >= 150 and len(slots) >= 20 and works == [200]
        and asked.count(NAMED) == 1,
    }  # fmt: skip


def cut_off() -> bool:
    """Leave the machine's network for an empty one with a loopback of its own. Only root may, and only before threads start."""
    if os.geteuid() or (os.environ.get("DATABASE_URL") and not (postgres_binaries() and redis_binary())):
        return False  # The database that is asked for is outside.
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return False
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    return True


def spelled(port: int) -> list[str]:
    """The canary's own address, as many ways as one can write it."""
    hosts = [
        "127.0.0.1", "localhost", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "0",
        "0.0.0.1", "127.0.0.1.", "localhost.", "LOCALHOST", "①②⑦.0.0.1", "127。0。0。1", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "example.com@127.0.0.1", "user:x@localhost",
        "127.0.0.1%2f.example.com", "127.0.0.1\\@example.com", "localhost#@example.com", "127.255.255.254",
    ]  # fmt: skip
    return [f"{scheme}://{host}:{port}/canary" for host in hosts for scheme in ("http", "https")]


# -- settings that take an address -----------------------------------------------------------------------------------------


def _connection(
    kind: str, config: Callable[[str], dict[str, Any]], credentials: Callable[[str], dict[str, Any]]
) -> Use:
    """Save a connection with the address and, where that was taken, test it."""

    def use(person: Any, url: str) -> list[int]:
        body = {"name": f"c{time.time_ns()}", "type": kind, "config": config(url), "credentials": credentials(url)}
        made = person.api.post("/api/integrations/connections", body)
        if made.status_code != 201:
            return [made.status_code]
        path = f"/api/integrations/connections/{made.json()['id']}"
        tested = person.api.post(f"{path}/test")
        person.api.delete(path)
        return [made.status_code, tested.status_code]

    return use


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or 80
    except ValueError:
        return 80


def _database(url: str) -> dict[str, Any]:
    return {"host": _host(url), "port": _port(url), "database": "d", "sslmode": "disable"}


def _webhook(person: Any, url: str) -> list[int]:
    """Where a run's result is to be sent."""
    from integrations.webhooks import deliver_due

    workflow = _workflow(person, {"nodes": [{"id": "s", "type": "start"}], "edges": []})
    accepted = person.api.post(f"/api/workflows/{workflow}/execute", {"inputs": {}, "webhook_url": url})
    if accepted.status_code == 202:
        run = accepted.json()["execution_id"]
        person.api.post(f"/api/workflows/executions/{run}/cancel")
        while deliver_due():
            pass
    return [int(accepted.status_code)]


def _api_call(person: Any, url: str) -> list[int]:
    """A step that calls it, performed now."""
    node = {"id": "call", "type": "api-integration", "config": {"method": "GET", "url": url}}
    workflow = _workflow(person, {"nodes": [node], "edges": []})
    if workflow is None:
        return [400]
    tried = person.api.post(f"/api/workflows/{workflow}/nodes/call/test", {"perform": True})
    status = tried.json().get("output") or {}
    return [int(status.get("status", tried.status_code)) if isinstance(status, dict) else int(tried.status_code)]


def _expression_call(person: Any, url: str) -> list[int]:
    """The same, where the address is data that a run is given."""
    node = {
        "id": "call",
        "type": "api-integration",
        "config": {"method": "POST", "url": "{{ inputs.url }}", "body": {}},
    }
    workflow = _workflow(person, {"nodes": [node], "edges": []})
    tried = person.api.post(f"/api/workflows/{workflow}/nodes/call/test", {"perform": True, "inputs": {"url": url}})
    return [int(tried.status_code)]


def _dms(place: str) -> Use:
    def use(person: Any, url: str) -> list[int]:
        from tests.load.secret_settings import dms_settings

        kind = "oauth2" if place == "token_url" else "api_key"
        secret = {"client_id": "c", "client_secret": "s"} if kind == "oauth2" else {"api_key": "k"}
        body = dms_settings(kind, secret)
        target = body["authentication"]["refresh_configuration"] if kind == "oauth2" else body["configuration"]
        target[place] = url
        made = person.api.post("/api/integrations/dms", body)
        if made.status_code == 201:
            path = f"/api/integrations/dms/{made.json()['id']}"
            person.api.post(f"{path}/sync", {})
            _sync_now()
            person.api.delete(path)
        return [int(made.status_code)]

    return use


def _sync_now() -> None:
    from integrations.dms.sync import sync_due

    for _ in range(20):
        if not sync_due():
            return


def _model(person: Any, url: str) -> list[int]:
    body = {
        "model_id": f"m{time.time_ns()}", "version": "1", "endpoint_url": url, "api_key": "k",
    }  # fmt: skip
    made = person.api.post("/api/ai/custom-models", body)
    if made.status_code == 201:
        asked = person.api.post("/api/ai/custom-models/predict", {"model_id": body["model_id"], "input_data": {"a": 1}})
        return [int(made.status_code), 200 if asked.status_code in (502, 503) else int(asked.status_code)]
    return [int(made.status_code)]


def _preview(person: Any, url: str) -> list[int]:
    body = {"name": "T", "definition": {"nodes": [], "edges": []}, "preview_image": url}
    made = person.api.post("/api/templates", body)
    if made.status_code == 201:
        person.api.get(f"/api/templates/{made.json()['id']}/preview")
    return [int(made.status_code)]


def _workflow(person: Any, definition: dict[str, Any]) -> Any:
    made = person.api.post("/api/workflows", {"name": "W", "definition": definition})
    return made.json().get("id") if made.status_code == 201 else None


def _nothing(_url: str) -> dict[str, Any]:
    return {}


SLOTS: dict[str, Use] = {
    "custom_rest base_url": _connection("custom_rest", lambda url: {"base_url": url}, lambda _url: {"token": "t"}),
    "custom_rest token_url": _connection(
        "custom_rest",
        lambda _url: {"base_url": "https://api.example.invalid"},
        lambda url: {"client_id": "c", "client_secret": "s", "token_url": url},
    ),
    "custom_model endpoint_url": _connection(
        "custom_model", lambda url: {"endpoint_url": url}, lambda _url: {"api_key": "k"}
    ),
    "ollama base_url": _connection("ollama", lambda url: {"base_url": url, "default_model": "m"}, _nothing),
    "openai base_url": _connection("openai", lambda url: {"base_url": url}, lambda _url: {"api_key": "k"}),
    "twilio api_url": _connection(
        "twilio",
        lambda url: {"from": "+15125550100", "api_url": url},
        lambda _url: {"account_sid": "A", "auth_token": "t"},
    ),
    "messagebird api_url": _connection(
        "messagebird", lambda url: {"from": "+15125550100", "api_url": url}, lambda _url: {"access_key": "k"}
    ),
    "smtp host": _connection(
        "smtp",
        lambda url: {"host": _host(url), "port": _port(url), "from": "a@example.com", "security": "none"},
        _nothing,
    ),
    "postgres host": _connection("postgres", _database, lambda _url: {"username": "u", "password": "p"}),
    "mysql host": _connection("mysql", _database, lambda _url: {"username": "u", "password": "p"}),
    "webhook_url": _webhook,
    "api-integration url": _api_call,
    "api-integration url from data": _expression_call,
    "dms base_url": _dms("base_url"),
    "dms token_url": _dms("token_url"),
    "custom model": _model,
    "template preview": _preview,
}


def _own_ports(settings: Any) -> set[int]:
    ports = {int(settings.DATABASES["default"].get("PORT") or 5432)}
    return ports | ({urlsplit(settings.REDIS_URL).port or 6379} if settings.REDIS_URL else set())


if __name__ == "__main__":
    CUT_OFF = cut_off()
    stand_alone("g20_outgoing", measure)
