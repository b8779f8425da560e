"""An OpenID provider on a real port that can lie in every part of its answers. Where it tells the truth it is a strict one: codes
work once, for the client, the address and the verifier they were made for."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

CLIENT, SECRET = "auterity-client", "s3cret:with colon"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Account:
    """Somebody at the provider."""

    sub: str = "person-1"
    email: str = "ann@autodealer.example"
    verified: bool = True
    first_name: str = "Ann"
    last_name: str = "Ames"


@dataclass
class Lies:
    """What the provider says instead of the truth. `claims` change the id_token's; None leaves one out."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    token: Callable[[], Response] | None = None
    described: dict[str, Any] = field(default_factory=dict)
    keys: list[dict[str, Any]] | None = None


class Provider:
    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.issuer = f"http://localhost:{server.port}"
        self.lies = Lies()
        self.codes: dict[str, dict[str, Any]] = {}
        self.refreshable: dict[str, str] = {}
        self.alive: set[str] = set()
        self.revoked: list[str] = []
        self.asked: list[str] = []
        self.seconds = 3600
        for path, handler in {
            "/.well-known/openid-configuration": self._described,
            "/jwks": self._keys,
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/revoke": self._revoke,
        }.items():
            server.expect_request(path).respond_with_handler(handler)

    def consent(self, url: str, account: Account | None = None) -> dict[str, str]:
        """What the provider's redirect carries once somebody agreed to the request behind the URL."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**query, "account": account or Account()}
        return {"code": code, "state": query["state"]}

    # -- what it answers

    def _described(self, _request: Request) -> Response:
        self.asked.append("description")
        return _json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "revocation_endpoint": f"{self.issuer}/revoke",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
            | self.lies.described
        )

    def _keys(self, _request: Request) -> Response:
        self.asked.append("keys")
        return _json({"keys": self.lies.keys if self.lies.keys is not None else [jwk(KEY, "one")]})

    def _token(self, request: Request) -> Response:
        self.asked.append("token")
        if self.lies.token is not None:
            return self.lies.token()
        wanted = base64.b64encode(f"{CLIENT}:s3cret%3Awith%20colon".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return _json({"error": "invalid_client"}, 401)
        if request.form["grant_type"] == "refresh_token":
            return self._refreshed(request.form["refresh_token"])
        stored = self.codes.pop(request.form["code"], None)
        if stored is None or stored["redirect_uri"] != request.form["redirect_uri"]:
            return _json({"error": "invalid_grant"}, 400)
        digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != stored["code_challenge"]:
            return _json({"error": "invalid_grant"}, 400)
        return self._granted(stored["scope"], id_token=self.id_token(stored))

    def _refreshed(self, token: str) -> Response:
        scope = self.refreshable.pop(token, None)
        return _json({"error": "invalid_grant"}, 400) if scope is None else self._granted(scope)

    def _granted(self, scope: str, **more: str) -> Response:
        access, again = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self.alive.add(access)
        self.refreshable[again] = scope
        told = {"access_token": access, "refresh_token": again, "token_type": "Bearer", "scope": scope}
        return _json({**told, "expires_in": self.seconds, **more})

    def id_token(self, stored: dict[str, Any]) -> str:
        account, now = stored["account"], int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": account.sub,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": stored["nonce"],
            "email": account.email,
            "email_verified": account.verified,
            "given_name": account.first_name,
            "family_name": account.last_name,
        } | self.lies.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"kid": "one"} | self.lies.header
        if self.lies.sign is not None:
            return self.lies.sign(claims, header)
        return jwt.encode(claims, KEY, algorithm="RS256", headers=header)

    def _userinfo(self, request: Request) -> Response:
        self.asked.append("userinfo")
        alive = request.headers.get("Authorization", "").removeprefix("Bearer ") in self.alive
        return _json({"sub": "person-1"}) if alive else _json({"error": "invalid_token"}, 401)

    def _revoke(self, request: Request) -> Response:
        self.revoked.append(request.form["token"])
        return Response("", 200)


def jwk(key: rsa.RSAPrivateKey, key_id: str, **more: Any) -> dict[str, Any]:
    found = orjson.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return {**found, "kid": key_id, "use": "sig", "alg": "RS256", **more}


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, content_type="application/json")
