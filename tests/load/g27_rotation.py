"""G27: data keys and the server key change while stored credentials are read and written.

Every reading succeeds, nothing is left under an old key, and the old keys can be destroyed.
`python -m tests.load.g27_rotation [--short]`
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.load.gates import Figures, somebody
from tests.load.servers import stand_alone


def measure(short: bool) -> Figures:
    from django.conf import settings
    from django.test import override_settings

    from auterity.kernel.vault import newest_server_key
    from vault import services as vaults
    from vault.models import DataKey

    count, rounds = (100, 3) if short else (1000, 5)
    actor = somebody("rotation")
    organization_id = actor.organization_id
    with Customers(actor, count) as customers:
        for _ in range(rounds):
            customers.wait_until_busy()
            vaults.rotate(organization_id=organization_id)
    with override_settings(VAULT_KEYS=["a server key of its own", *settings.VAULT_KEYS]):
        with customers:
            customers.wait_until_busy()
            rewrapped = vaults.rewrap()
            customers.wait_until_busy()
        newest = newest_server_key()
    later = dt.datetime.now(dt.UTC) + 2 * vaults.SETTLED
    with override_settings(VAULT_KEYS=["a server key of its own"]):  # The old one is taken out of the ring.
        destroyed = vaults.prune(organization_id=organization_id, now=later)
        customers.read_all()
    rows = list(DataKey.objects.of(organization_id).values_list("number", "server_key"))
    figures = {
        "credentials": count, "rotations": rounds, "readings": customers.readings, "writings": customers.writings,
        "failed_readings": len(customers.failures), "wrong_readings": customers.wrong, "under_old_keys": customers.behind(),
        "keys_rewrapped": rewrapped, "keys_destroyed": destroyed, "keys_left": len(rows),
    }  # fmt: skip
    passed = (
        not (customers.failures or customers.wrong or figures["under_old_keys"])
        and rows == [(rounds + 1, newest)]
        and destroyed == rounds
        and min(customers.readings, customers.writings) >= count
    )
    return {**figures, "failures": customers.failures[:3], "passed": passed}


class Customers:
    """Threads that read and write the connections of one organization for as long as the block lasts."""

    def __init__(self, actor: Any, count: int) -> None:
        from integrations import services

        self.actor = actor
        self.readings = self.writings = self.wrong = 0
        self.failures: list[str] = []
        made = [
            services.create_connection(actor=actor, **rest(f"System {at}", token_of(at)), type="custom_rest")
            for at in range(count)
        ]
        self.ids = {row.id: at for at, row in enumerate(made)}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Customers:
        self._stop.clear()
        acts = [self._read, self._read, self._write]
        self._threads = [threading.Thread(target=self._work, args=(act,), daemon=True) for act in acts]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def wait_until_busy(self) -> None:
        """Everything was read and written once more, or threads fail."""
        read, written = self.readings + len(self.ids), self.writings + len(self.ids) // 4
        while (self.readings < read or self.writings < written) and not self.failures:
            time.sleep(0.01)

    def read_all(self) -> None:
        for identity in self.ids:
            self._read(identity)

    def behind(self) -> int:
        """How many are not under the newest key."""
        from integrations.models import Connection
        from vault import keys
        from vault.models import DataKey

        newest = max(DataKey.objects.of(self.actor).values_list("number", flat=True))
        stored = Connection.objects.of(self.actor).values_list("sealed", flat=True)
        return sum(keys.number_of(bytes(each)) != newest for each in stored)

    def _work(self, act: Callable[[Any], None]) -> None:
        from django.db import connection

        try:
            while not self._stop.is_set():
                for identity in secrets.SystemRandom().sample(list(self.ids), len(self.ids)):
                    if self._stop.is_set():
                        break
                    act(identity)
        finally:
            connection.close()

    def _read(self, identity: Any) -> None:
        from integrations.models import Connection
        from integrations.sealed import open_credentials

        try:
            row = Connection.objects.of(self.actor).get(id=identity)
            found = open_credentials(
                organization_id=row.organization_id, connection_id=row.id, sealed=bytes(row.sealed)
            )
            self.wrong += found.get("token", "").partition("-")[0] != str(self.ids[identity])
            self.readings += 1
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}")

    def _write(self, identity: Any) -> None:
        from integrations import services

        try:
            change = services.ConnectionChange(credentials={"token": token_of(self.ids[identity])})
            services.update_connection(actor=self.actor, connection_id=identity, change=change)
            self.writings += 1
        except Exception as error:
            self.failures.append(f"{type(error).__name__}: {error}")


def token_of(at: int) -> str:
    return f"{at}-{secrets.token_hex(8)}"


def rest(name: str, token: str) -> dict[str, Any]:
    return {"name": name, "config": {"base_url": "https://crm.example.com/v1"}, "credentials": {"token": token}}


if __name__ == "__main__":
    stand_alone("g27_rotation", measure)
