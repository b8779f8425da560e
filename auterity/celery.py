"""The Celery application: `celery -A auterity.celery worker --pool threads`. Each worker process runs one execution runner."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auterity.settings.dev")

app = Celery("auterity")
app.config_from_object("django.conf:settings", namespace=None)


def _configure() -> None:
    from django.conf import settings

    app.conf.update(settings.CELERY)
    app.autodiscover_tasks(["executions"])


_configure()


@worker_ready.connect
def _start_runner(**_about: object) -> None:
    from executions.hints import HINTS
    from executions.runner import Runner

    app.runner = Runner()
    HINTS.use(app.runner)
    app.runner.start()


@worker_shutting_down.connect
def _stop_runner(**_about: object) -> None:
    app.runner.stop()
