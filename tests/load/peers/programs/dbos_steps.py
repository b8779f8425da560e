"""Runs in DBOS's own environment: a workflow of five steps that only compute, so often by so many callers as standard input asks.

Each line in is a JSON list `[callers, each]`; each line out the seconds every execution took, as its caller saw them.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from dbos import DBOS


@DBOS.step()
def double(amount: int) -> dict[str, int]:
    return {"amount": amount, "doubled": amount * 2}


@DBOS.workflow()
def five_steps(amount: int) -> int:
    return sum(double(amount)["doubled"] for _ in range(5))


def timed() -> float:
    begun = time.monotonic()
    assert five_steps(21) == 210
    return time.monotonic() - begun


def main() -> None:
    DBOS(config={"name": "bench", "system_database_url": os.environ["PEER_DATABASE"], "log_level": "WARNING"})
    DBOS.launch()
    print(json.dumps(version("dbos")), flush=True)
    with ThreadPoolExecutor(20) as callers:
        for line in sys.stdin:
            count, each = json.loads(line)
            parts = callers.map(lambda _, each=each: [timed() for _ in range(each)], range(count))
            print(json.dumps([seconds for part in parts for seconds in part]), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
