"""The product in processes of their own, asked over real connections."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from tests.api.serving import free_port


@contextmanager
def serving(**environment: str) -> Iterator[str]:
    """A server, its lifespan too; stopped as a deploy stops it. Gives its address."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "auterity.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 100
        while asked(f"http://127.0.0.1:{port}/health/live")[0] != 200:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def asked(address: str, token: str = "") -> tuple[int, Any]:
    """The status and the JSON of an answer; 0 when there is none."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=8) as answer:
            return answer.status, orjson.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, orjson.loads(refused.read())
    except OSError:
        return 0, None


def same_database() -> dict[str, str]:
    """The environment in which another process works on the test's own database."""
    name = str(connection.settings_dict["NAME"])
    secret = {"AUTERITY_SECRET_KEY": settings.SECRET_KEY}
    if connection.vendor == "sqlite":
        return secret | {"DJANGO_SETTINGS_MODULE": "tests.monitoring.other_process", "MONITORED_DATABASE": name}
    url = settings.ENV.database_url.rpartition("/")[0]
    return secret | {"DJANGO_SETTINGS_MODULE": "auterity.settings.test", "DATABASE_URL": f"{url}/{name}"}
