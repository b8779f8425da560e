"""The Celery application: `celery -A auterity.celery worker --pool threads`. Each worker process runs one execution runner."""

from __future__ import annotations

import os

import django
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from django.apps import apps
from django.conf import settings

from auterity.kernel.memory import begin_loading, settle_in

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auterity.settings.dev")
if (
    not apps.models_ready
):  # Celery's command line imports this first; Django's own start-up comes here with models ready.
    begin_loading()
    django.setup()

from auterity.kernel.ticks import TICKS
from executions.hints import HINTS
from executions.runner import Runner

app = Celery("auterity")
app.conf.update(settings.CELERY)
app.autodiscover_tasks(["executions"])

_running: list[Runner] = []


@worker_ready.connect
def _start_runner(**_about: object) -> None:
    settle_in()
    runner = Runner()
    HINTS.use(runner)
    runner.start()
    _running.append(runner)
    TICKS.start()


@worker_shutting_down.connect
def _stop_runner(**_about: object) -> None:
    while _running:
        _running.pop().stop()
    TICKS.stop()
