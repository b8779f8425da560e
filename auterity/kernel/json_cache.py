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
