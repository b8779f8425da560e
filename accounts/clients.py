"""Who asks to be let in, as the door saw them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Client:
    """A program at a door of ours. All but `dialect` and `access_seconds` is what it says of itself.

    `remember` asks for a login of 30 days instead of 7. `client_id` is a native installation, `device_id` a device whose key
    we know; `fingerprint` is any other word by which a browser says that it is the one of last time.
    """

    dialect: str
    access_seconds: int
    address: str = ""
    user_agent: str = ""
    device_name: str = ""
    fingerprint: str = ""
    remember: bool = False
    client_id: UUID | None = None
    device_id: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        """Only what differs from nothing, and no more of each than is stored."""
        found = {name: value for name, value in asdict(self).items() if value}
        return {
            name: str(value) if isinstance(value, UUID) else value[:400] if isinstance(value, str) else value
            for name, value in found.items()
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Client:
        ids = {name: UUID(stored[name]) for name in ("client_id", "device_id") if stored.get(name)}
        return cls(**{**stored, **ids})


def line(text: str, longest: int) -> str:
    """A client's own words about itself, made harmless for a column and a log line."""
    return "".join(character if character.isprintable() else "?" for character in text[:longest])
