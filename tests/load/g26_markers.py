"""G26: more than fifty secrets go in by every door that takes one, things run, and then they are looked for everywhere: the
database and its files, Redis, logs, answers, frames, mails, what receivers got, temporary files. None is found, however spelled.
`python -m tests.load.g26_markers [--short]`
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from tests.load import markers as places
from tests.load.gates import Figures
from tests.load.markers import Markers
from tests.load.secret_settings import CONNECTIONS, DMS, dms_settings
from tests.load.servers import stand_alone

PASSWORD = "a better battery 7"
PROVIDERS_WAY_BACK = "https://app.example/callback"


def measure(short: bool) -> Figures:
    from django.conf import settings
    from django.test import override_settings

    from auterity.embedded import start_runner, stop_runner

    begun = time.time()
    found = Markers()
    written = [] if short else places.write_ahead_log()
    with places.everything_logged() as log, override_settings(EGRESS_ALLOW=["127.0.0.1"]):
        play = Play(found)
        runner = start_runner()
        try:
            for _ in range(1 if short else 3):
                play.round()
        finally:
            stop_runner(runner)
        logged = log.getvalue().encode()
    kept = {
        **{f"database {name}": content for name, content in places.database().items()},
        **({} if short else places.cluster_files(written)),
        "redis": places.redis_dump(settings.REDIS_URL),
        "logs": logged,
        "files": places.files_under(Path(settings.ARTEFACTS["folder"])),
        "temporary files": places.newer_temporary_files(begun),
    }
    shown = {
        "answers": b"\n".join(play.answers),
        "frames": b"\n".join(play.frames),
        "outbox": places.files_under(Path(settings.OUTBOX_DIR)),
        "webhook sink": b"\n".join(play.delivered),
    }
    hits = places.found_in({**kept, **shown}, found.given) + places.found_in(kept, found.issued)
    blind = [name for name in ("logs", "answers", "frames") if not {**kept, **shown}[name]]
    sizes = {name: len(content) for name, content in {**kept, **shown}.items()}
    return {
        "given": len(found.given), "issued": len(found.issued), "hits": hits[:20], "bytes_searched": sum(sizes.values()),
        "sinks": len(sizes), "searched": {name: size for name, size in sizes.items() if size},
        "refused_doors": play.refused, "blind": blind, "sees": _sees(kept["database dump"]),
        "passed": not (hits or play.refused or blind) and len(found.given) >= 50 and _sees(kept["database dump"]),
    }  # fmt: skip


def _sees(dump: bytes) -> bool:
    """Whether what was stored in the clear on purpose is found: the search bites."""
    return b"seen-in-the-clear" in dump


class Play:
    """Everything that can be done with a secret, over HTTP and sockets."""

    def __init__(self, found: Markers) -> None:
        self.markers = found
        self.answers: list[bytes] = []
        self.frames: list[bytes] = []
        self.delivered: list[bytes] = []
        self.refused: list[str] = []
        self._round = 0

    def round(self) -> None:
        self._round += 1
        self._people()
        self._connections()
        self._workflows()
        self._webhooks()
        self._sockets()
        self._tokens()
        self._providers()
        self._mistakes()

    # -- doors -------------------------------------------------------------------------------------------------------

    def _people(self) -> None:
        tag = f"{self._round}-{time.time_ns()}"
        self.email = f"ann-{tag}@example.com"
        first = self._secret("register")
        about = {"email": self.email, "first_name": "Ann", "last_name": "Ames", "organization_name": "A"}
        self._ok("POST", "/api/auth/register", {**about, "password": first}, show=False)
        self._login(first)
        second = self._secret("change-password")
        body = {"current_password": first, "new_password": second}
        changed = self._ok("POST", "/api/auth/change-password", body, show=False)
        self.token = self.markers.told(self._door("access token"), changed["access_token"])
        self.password = second
        member = {"email": f"bob-{tag}@example.com", "first_name": "Bob", "last_name": "Berg", "role": "member"}
        member["password"] = self._secret("member's password")
        self._ok("POST", "/api/organizations/current/members", member, Idempotency_Key=f"k{tag}")
        for wrong in ("wrong password", "wrong password again"):
            self._call("POST", "/api/auth/login", {"email": self.email, "password": self._secret(wrong)})
        self._call("POST", "/api/auth/login", {"email": self._secret("password as address"), "password": "x"})
        self._call("POST", "/api/auth/step-up", {"password": self._secret("wrong step-up")})
        self._reset()
        self._second_factor()

    def _login(self, password: str) -> None:
        made = self._ok("POST", "/api/auth/login", {"email": self.email, "password": password}, show=False)
        self.token = self.markers.told(self._door("login"), made["access_token"])
        self.markers.told(self._door("refresh token"), made["refresh_token"])

    def _reset(self) -> None:
        from accounts import links, proofs
        from accounts.models import Letter, LetterKind

        self._call("POST", "/api/auth/forgot-password", {"email": self.email})
        letter = Letter.objects.filter(recipient=self.email, kind=LetterKind.PASSWORD_RESET).latest("id")
        with suppress(Exception):
            proofs.make(letter)  # Unless the runner has sent it already.
        token = self.markers.told(self._door("reset link"), links.proof_token(letter.pk))
        weak = {"raw": b"password=x", "media": "application/x-www-form-urlencoded", "show": False}
        refused = self._call(
            "POST", f"/password-reset/{token}", **weak
        )  # The link goes on working, and the path is logged.
        if refused.status_code != 400:
            self.refused.append(f"weak password by a link: {refused.status_code}")
        self.password = self._secret("reset password")
        answer = self._call("POST", "/api/auth/reset-password", {"token": token, "password": self.password})
        if answer.status_code != 204:
            self.refused.append(f"reset: {answer.status_code} {answer.content[:200]!r}")
        self._login(self.password)

    def _second_factor(self) -> None:
        from accounts.totp import code_of

        begun = self._ok("POST", "/api/auth/second-factors/totp", {"label": "x", "password": self.password}, show=False)
        secret = self.markers.told(self._door("totp secret"), begun["secret"])
        import base64

        raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self.markers.issued[self._door("totp secret in hex")] = raw.hex()
        code = code_of(raw, int(time.time()) // 30)
        body = {"code": code, "setup_id": begun["setup_id"]}
        confirmed = self._ok("POST", "/api/auth/second-factors/totp/confirm", body, show=False)
        for number, each in enumerate(confirmed.get("backup_codes", [])):
            self.markers.issued[self._door(f"backup code {number}")] = each
        wrong = {"password": self._secret("wrong totp password"), "code": "000000"}
        self._call("POST", "/api/auth/second-factors/totp/disable", wrong)

    def _connections(self) -> None:
        for number, (kind, config, more, name) in enumerate(CONNECTIONS):
            body = {"name": f"C{number}", "type": kind, "config": config}
            first = {**more, name: self._secret(f"connection {kind} {name}")}
            made = self._ok("POST", "/api/integrations/connections", {**body, "credentials": first})
            path = f"/api/integrations/connections/{made['id']}"
            second = {**more, name: self._secret(f"connection {kind} {name} changed")}
            self._ok("PUT", path, {"credentials": second}, Idempotency_Key="x")
            self._ok("GET", path)
            self._call("POST", f"{path}/test")
        for kind, more, name in DMS:
            credentials = {**more, name: self._secret(f"dms {kind}")}
            self._ok("POST", "/api/integrations/dms", dms_settings(kind, credentials))

    def _workflows(self) -> None:
        self.hook = self._secret("webhook secret")
        made = self._ok("POST", "/api/workflows", {"name": "Hooked", "definition": _hooked(self.hook)})
        self.workflow = made["id"]
        path = f"/api/workflows/{self.workflow}"
        shown = self._ok("GET", path)
        self._ok("PUT", path, {"name": "Hooked 2", "nodes": shown["nodes"], "edges": shown["edges"]})
        self._ok("PUT", path, {"definition": _hooked(self._secret("webhook secret, a draft")), "draft": True})
        self._ok("POST", "/api/workflows/validate", {"definition": _hooked(self._secret("webhook secret, validated"))})
        held = {"nodes": [_hook("in", self._secret("webhook secret inside a node"))], "edges": []}
        drawn = {
            "nodes": [{"id": "m", "type": "map", "config": {"items": "{{ input }}", "workflow": held}}],
            "edges": [],
        }
        self._ok("POST", "/api/workflows", {"name": "Held", "definition": drawn, "draft": True, "is_active": False})
        self._ok("POST", "/api/templates", {"name": "T", "definition": _hooked(self._secret("a template's secret"))})
        saved = self._ok("POST", f"{path}/save-as-template", {"name": "S", "is_public": True})
        self._ok("POST", f"/api/templates/{saved['id']}/instantiate", {"name": "I", "parameters": {}})
        document = self._ok("GET", f"{path}/export")
        document["fill"] = {"hook": {"secret": self._secret("filled in at an import")}}
        self._ok("POST", "/api/workflows/import", document)
        written = self._secret("written into an imported document")
        document = {**document, "definition": _hooked(written), "fill": {}, "fill_in": []}
        self._ok("POST", "/api/workflows/import", document)
        self._ok("POST", f"{path}/dry-run", {"inputs": {}})
        self._ok("GET", f"{path}/versions")
        self._ok("GET", f"{path}/versions/1/diff/2")
        self._ok("GET", f"{path}/operations")
        plain = {"name": "seen-in-the-clear", "definition": {"nodes": [{"id": "s", "type": "start"}], "edges": []}}
        run = self._ok("POST", "/api/workflows", plain)["id"]
        with _receiver(self.delivered) as address:
            asked = {"inputs": {}, "webhook_url": address}
            self._run(self._ok("POST", f"/api/workflows/{run}/execute", asked)["execution_id"])

    def _webhooks(self) -> None:
        path = f"/api/workflows/{self.workflow}/triggers/hook"
        body = {"lead": 1}
        signature = hmac.new(self.hook.encode(), orjson.dumps(body), hashlib.sha256).hexdigest()
        answers = [
            self._call("POST", path, body, X_Webhook_Token=self.hook),
            self._call("POST", path, body, Authorization=f"Bearer {self._secret('wrong webhook bearer')}"),
            self._call("POST", path, body, X_Webhook_Token=self._secret("wrong webhook token")),
            self._call("POST", path, body, X_Signature_256=signature, Cookie=f"a={self._secret('a cookie')}"),
        ]
        if answers[0].status_code != 202:
            self.refused.append(f"webhook: {answers[0].status_code} {answers[0].content[:200]!r}")
        else:
            self._run(answers[0].json()["execution_id"])

    def _sockets(self) -> None:
        from tests.api.serving import Server

        with Server() as server:
            path = f"/ws/workflows/{self.workflow}/collaboration"
            with server.socket(path, header=self.token) as socket:
                self.frames.append(orjson.dumps(socket.receive()))
                hook = _hook("second", self._secret("webhook secret over a socket"))
                changed = {"secret": self._secret("webhook secret edited over a socket")}
                for operation, data in (
                    ("node_added", {"node": hook}),
                    ("node_updated", {"node_id": "second", "changes": {"config": changed}}),
                    ("node_deleted", {"node_id": "second"}),
                ):
                    message = {"type": "workflow_collaboration", "operation": operation, "data": data}
                    socket.send({**message, "client_op_id": operation})
                    self.frames.append(orjson.dumps(socket.receive()))
                with suppress(TimeoutError):
                    while True:
                        self.frames.append(orjson.dumps(socket.receive(0.5)))
            for door in ("garbage token in a query", "garbage ticket in a query"):
                name = door.split()[1]
                with suppress(Exception), server.socket(path, query=f"?{name}={self.markers_core(door)}") as socket:
                    self.frames.append(orjson.dumps(socket.receive(2)))
            server.settle()

    def _tokens(self) -> None:
        key = self._ok(
            "POST",
            "/api/organization/api-keys",
            {"name": "K", "scopes": ["workflow:read"]},
            show=False,
            Idempotency_Key="key",
        )
        self.markers.told(self._door("api key"), key["key"])
        self._ok("GET", "/api/organization/api-keys")
        ticket = self._ok("POST", "/api/ws-tickets", {"path": f"/ws/workflows/{self.workflow}"}, show=False)
        self.markers.told(self._door("socket ticket"), ticket["ticket"])
        cross = {"target_system": "relaycore", "permissions": ["ai:route"]}
        told = self._ok("POST", "/api/auth/cross-system-token", cross, show=False)
        self.markers.told(self._door("cross-system token"), told.get("token") or told["access_token"])
        invited = {"email": f"carl-{time.time_ns()}@example.com", "role": "member"}
        self._ok("POST", "/api/organizations/current/invitations", invited)

    def _providers(self) -> None:
        """Secrets of sign-in providers, and the tokens that one gives us."""
        from django.test import override_settings
        from pytest_httpserver import HTTPServer

        from identity import discovery
        from tests.identity.provider import CLIENT, SECRET, Account, Provider

        said = {
            "name": "P",
            "issuer": "https://login.example.com",
            "client_id": "c",
            "allowed_domains": ["autodealer.example"],
        }
        for door in ("sso secret", "sso secret changed"):
            self._ok("PUT", "/api/organization/sso", {**said, "client_secret": self._secret(door)})
        self._ok("GET", "/api/organization/sso")
        model = {"model_id": f"m{time.time_ns()}", "version": "1", "endpoint_url": "https://models.example.com/x"}
        self._ok("POST", "/api/ai/custom-models", {**model, "api_key": self._secret("custom model")})
        server = HTTPServer(host="localhost", port=0)
        server.start()
        try:
            provider = Provider(server)
            google = {"client_id": CLIENT, "client_secret": SECRET, "issuer": provider.issuer, "registration": True}
            with override_settings(GOOGLE=google, OAUTH_REDIRECT_URIS=[PROVIDERS_WAY_BACK]):
                discovery.forget()
                way = self._ok("GET", "/api/v1/oauth/google/authorize", show=False)["data"]
                self.markers.told(self._door("oauth state"), way["state"])
                returned = provider.consent(way["authorization_url"], Account(sub=self.email, email=self.email))
                self._ok("POST", "/api/v1/oauth/google/callback", returned)
                self._ok("GET", "/api/v1/oauth/status")
                for kind, tokens in (("access", provider.alive), ("refresh", provider.refreshable)):
                    for number, token in enumerate(sorted(tokens)):
                        self.markers.given[self._door(f"google {kind} {number}")] = token
        finally:
            server.stop()

    def _mistakes(self) -> None:
        path = "/api/integrations/connections"
        self._call("POST", path, {"name": "x", "type": "openai", "credentials": self._secret("credentials as text")})
        wrong = {"api_key": [self._secret("a key in a list")]}
        self._call("POST", path, {"name": "x", "type": "openai", "credentials": wrong})
        self._call("POST", "/api/auth/login", raw=b'{"email": "a@example.com", "password": "' + self._bytes("cut body"))
        self._call("POST", "/api/auth/refresh", {"refresh_token": self._secret("garbage refresh token")})
        self._call("POST", "/api/auth/reset-password", {"token": self._secret("garbage reset"), "password": PASSWORD})
        self._call("POST", "/api/invitations/accept", {"token": self._secret("garbage invitation")})
        self._call("GET", "/api/workflows", Authorization=f"Bearer {self._secret('garbage bearer')}")
        self._call("GET", "/api/workflows", X_API_Key=self._secret("garbage api key"))

    # -- means -------------------------------------------------------------------------------------------------------

    def _door(self, name: str) -> str:
        return f"{name} #{self._round}"

    def _secret(self, door: str) -> str:
        return self.markers.secret(self._door(door))

    def _bytes(self, door: str) -> bytes:
        return self._secret(door).encode()

    def markers_core(self, door: str) -> str:
        """For a URL: without the signs around it."""
        self._secret(door)
        return self.markers.given[self._door(door)]

    def _call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, show: bool = True, **headers: str
    ) -> Any:
        from tests.api.people import UNSENT, Api

        token = "" if "Authorization" in headers or "X_API_Key" in headers else getattr(self, "token", "")
        answer = Api(token).call(method, path, UNSENT if body is None else body, raw=raw, **headers)
        if answer.status_code >= 500:
            self.refused.append(f"{method} {path}: {answer.status_code}")
        if show:
            self.answers.append(repr(dict(answer.headers)).encode() + answer.content)
        return answer

    def _ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self._call(method, path, body, **more)
        if answer.status_code >= 300:
            self.refused.append(f"{method} {path}: {answer.status_code} {answer.content[:300]!r}")
        return json.loads(answer.content or b"{}")

    def _run(self, execution_id: str) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            about = self._ok("GET", f"/api/workflows/executions/{execution_id}")
            if about["status"] in ("completed", "failed", "cancelled"):
                self._ok("GET", f"/api/workflows/executions/{execution_id}/logs")
                self._ok("GET", f"/api/workflows/executions/{execution_id}/steps")
                return
            time.sleep(0.05)
        self.refused.append(f"execution {execution_id} did not end")


def _hook(name: str, secret: str) -> dict[str, Any]:
    return {"id": name, "type": "webhook-trigger", "config": {"secret": secret, "authentication": "token"}}


def _hooked(secret: str) -> dict[str, Any]:
    return {"nodes": [_hook("hook", secret)], "edges": []}


def _receiver(delivered: list[bytes]) -> Any:
    from tests.load.receivers import Receiver

    return Receiver(delivered)


if __name__ == "__main__":
    stand_alone("g26_markers", measure)
