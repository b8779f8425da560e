"""The plainest Celery application there is: what the bench measures beside ours."""

from __future__ import annotations

import os

import redis
from celery import Celery

app = Celery("noop", broker=os.environ.get("REDIS_URL", "memory://"))
app.conf.update(task_ignore_result=True, task_default_queue="bench-noop", broker_connection_retry_on_startup=True)


def done() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"])


_counter = done() if "REDIS_URL" in os.environ else None


@app.task(name="noop")
def noop() -> None:
    if _counter is not None:
        _counter.incr("bench:noops")
