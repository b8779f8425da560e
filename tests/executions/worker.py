"""A worker of the embedded kind, without the web server: `python -m tests.executions.worker`. SIGTERM stops it gently."""

import signal
import threading

import django

django.setup()

from auterity.embedded import start_runner, stop_runner  # noqa: E402  Django has to be set up first.

stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_about: stopped.set())
runner = start_runner()
stopped.wait()
stop_runner(runner)
