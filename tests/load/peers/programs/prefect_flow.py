"""Runs in Prefect's own environment: a flow of five tasks that only compute, so often by so many callers as standard input asks.

Each line in is a JSON list `[callers, each]`; each line out the seconds every run took, as its caller saw them.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from prefect import flow, task


@task
def double(amount: int) -> dict[str, int]:
    return {"amount": amount, "doubled": amount * 2}


@flow
def five_tasks(amount: int) -> int:
    return sum(double(amount)["doubled"] for _ in range(5))


def timed() -> float:
    begun = time.monotonic()
    assert five_tasks(21) == 210
    return time.monotonic() - begun


def main() -> None:
    print(json.dumps(version("prefect")), flush=True)
    with ThreadPoolExecutor(20) as callers:
        for line in sys.stdin:
            count, each = json.loads(line)
            parts = callers.map(lambda _, each=each: [timed() for _ in range(each)], range(count))
            print(json.dumps([seconds for part in parts for seconds in part]), flush=True)


if __name__ == "__main__":
    main()
