"""What the shared cache stores: JSON, and nothing that runs when it is read. Whoever can write there plants no code."""

from __future__ import annotations

from typing import Any

import orjson


class JsonSerializer:
    """Django's pickles every value that is no whole number. Those stay as they are, so that the server can count them."""

    def dumps(self, value: Any) -> bytes | int:
        return value if type(value) is int else orjson.dumps(value)

    def loads(self, stored: bytes) -> Any:
        try:
            return int(stored)
        except ValueError:
            return orjson.loads(stored)


def cache_at(url: str) -> dict[str, Any]:
    """Django's setting for a cache on a Redis server; inside the process where there is none."""
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": url,
        # Nobody waits long for a server that does not answer.
        "OPTIONS": {
            "socket_timeout": 2,
            "socket_connect_timeout": 1,
            "serializer": f"{JsonSerializer.__module__}.{JsonSerializer.__qualname__}",
        },
    }
