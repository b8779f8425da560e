"""What an organization says about its DMS (000, "Common DMS Integration Pattern")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from integrations.connection_types import MASK
from integrations.urls import WebAddress

Provider = Literal["CDK", "Reynolds", "DealerSocket", "Custom"]
AuthType = Literal["api_key", "oauth2", "basic_auth"]
Entity = Literal["customers", "vehicles"]
ENTITIES: tuple[Entity, ...] = ("customers", "vehicles")

_PATH = re.compile(r"[A-Za-z0-9/._~%-]{1,300}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "api_key": ("api_key",),
    "basic_auth": ("username", "password"),
    "oauth2": ("client_secret",),
}
_ALLOWED: Mapping[str, frozenset[str]] = {
    "api_key": frozenset({"api_key", "header"}),
    "basic_auth": frozenset({"username", "password"}),
    "oauth2": frozenset({"client_id", "client_secret", "refresh_token"}),
}


def _path(text: str) -> str:
    if not _PATH.fullmatch(text) or ".." in text or "//" in text:
        raise ValueError("This is a path such as customers or sales/opportunities; the address is the configuration's.")
    return text


EndpointPath = Annotated[str, AfterValidator(_path)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RateLimit(_Strict):
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)]
    burst_size: Annotated[int, Field(ge=1, le=1000)]


class Configuration(_Strict):
    """000, DMSConfiguration."""

    base_url: WebAddress
    api_version: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._-]{0,40}$", description="A part of every path; may be empty.")
    ]
    timeout_ms: Annotated[int, Field(ge=100, le=120_000, description="Of one request.")]
    retry_attempts: Annotated[int, Field(ge=0, le=10, description="How often a page that failed is tried again.")]
    rate_limit: RateLimit


class RefreshConfiguration(_Strict):
    """000, OAuth2RefreshConfig: where an access token comes from (RFC 6749)."""

    token_url: WebAddress
    client_id: Annotated[str, Field(max_length=500)] = ""
    scope: Annotated[str, Field(max_length=1000)] = ""


class Authentication(BaseModel):
    """000, DMSAuthentication. A credential given as its mask stays as it is stored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    type: AuthType
    credentials: Annotated[dict[str, str], Field(description="Write-only: answered masked.")]
    refresh_configuration: RefreshConfiguration | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        unknown = set(self.credentials) - _ALLOWED[self.type]
        missing = [name for name in _NEEDED[self.type] if not self.credentials.get(name)]
        if unknown:
            known = ", ".join(sorted(_ALLOWED[self.type]))
            raise ValueError(f"the credentials of {self.type} are {known}")
        if missing:
            raise ValueError(f"{self.type} needs the credentials {', '.join(missing)}")
        if (self.type == "oauth2") != (self.refresh_configuration is not None):
            raise ValueError("refresh_configuration (with token_url) belongs to oauth2, and oauth2 needs it")
        if any(
            not value.isprintable() or not value.isascii() or len(value) > 5000 for value in self.credentials.values()
        ):
            raise ValueError("a credential is printable ASCII text of at most 5,000 characters")
        header = self.credentials.get("header", "Authorization")
        if header != MASK and not _HEADER.fullmatch(header):
            raise ValueError("header is the name of the HTTP header that carries the key")
        return self


class Endpoints(_Strict):
    """000, DMSEndpoints: paths below the address and the version."""

    customers: EndpointPath
    vehicles: EndpointPath
    service_appointments: EndpointPath
    sales_opportunities: EndpointPath
    inventory: EndpointPath


def address_of(configuration: Mapping[str, Any], endpoint: str) -> str:
    """The whole address of an endpoint. The version stands between, unless the base ends with it; `/path` has none."""
    base, version = str(configuration["base_url"]).rstrip("/"), str(configuration["api_version"])
    if endpoint.startswith("/") or not version or base.endswith(f"/{version}"):
        return f"{base}/{endpoint.lstrip('/')}"
    return f"{base}/{version}/{endpoint}"
