"""What a native client is told at its start: from the server's settings, the organization's policy and the person's choices."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from accounts import policies, tiers
from auterity.kernel.access import Actor, Permission
from auterity.kernel.versions import given_version
from identity import google
from native import releases
from native.collections import COLLECTIONS, Writable
from preferences import selectors as preferences
from preferences.keys import effective

Json = dict[str, Any]
FEATURES = ("chat", "offline_drafts", "push", "ollama")  # the names of 003
_OFFERED: dict[str, Callable[[Actor | None], bool]] = {}


def offer(feature: str, to: Callable[[Actor | None], bool]) -> None:
    """Called at start-up by whatever brings a feature: whether somebody (None: nobody yet) has it. What nobody offers is off."""
    if feature not in FEATURES or _OFFERED.get(feature, to) is not to:
        raise ValueError(f"The feature {feature} is unknown, or offered twice.")
    _OFFERED[feature] = to


def may_draft(actor: Actor | None) -> bool:
    """Drafts can be worked on offline by whoever may change workflows."""
    return actor is None or actor.may(Permission.WORKFLOW_UPDATE)


@dataclass(frozen=True, slots=True)
class Configuration:
    """`version` changes whenever anything in `body` does."""

    version: str
    body: Json


def configuration(
    *, actor: Actor | None, platform: str | None, app_version: str | None, role: str, access_seconds: int
) -> Configuration:
    """For somebody, or for nobody yet. `role` is theirs in the dialect's words.

    Raises `InvalidInput` for an `app_version` that is none.
    """
    current = given_version(app_version, "app_version") if app_version else None
    minimum, latest = releases.figures(platform)
    about = settings.NATIVE
    body: Json = {
        "api": {
            "base_path": "/api/v1",
            "native_base_path": "/native",
            "websocket_path": "/ws",
            "request_timeout_ms": about["request_timeout_ms"],
            "max_upload_bytes": about["max_upload_bytes"],
        },
        "auth": {
            "methods": ["password", "passkey", "device", *(["google"] if google.is_configured() else [])],
            "google_enabled": google.is_configured(),
            "access_token_seconds": access_seconds,
            "registration_open": settings.REGISTRATION,
        },
        "sync": {
            "interval_seconds": about["interval_seconds"],
            "max_changes_per_call": about["max_changes"],
            "collections": [
                {"name": each.name, "writable": isinstance(each, Writable), "conflict_policy": each.policy}
                for each in COLLECTIONS
            ],
        },
        "features": {name: name in _OFFERED and _OFFERED[name](actor) for name in FEATURES},
        "versions": {
            "minimum": str(minimum),
            "latest": str(latest),
            "update_required": current is not None and current < minimum,
        },
        "branding": dict(about["branding"]),
        "user": None if actor is None else _of(actor, role),
    }
    if actor is not None:
        body["features"]["ollama"] &= _allows(actor, "ollama")
    digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Configuration(digest[:16], body)


def _of(actor: Actor, role: str) -> Json:
    chosen = preferences.sheet(actor).chosen
    return {"preferences": effective(chosen), "role": role, "tier": tiers.current(actor).value}


def _allows(actor: Actor, provider: str) -> bool:
    allowed = policies.of(actor.organization_id).ai_providers
    return not allowed or provider in allowed
