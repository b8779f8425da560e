"""The settings of a gate's processes: the gate's own database, files and clock."""

import json
import os

from tests.executions.worker_settings import *  # noqa: F403  Django's own way of building one settings module on another.
from tests.executions.worker_settings import ARTEFACTS, INSTALLED_APPS

_told = json.loads(os.environ["TRIAL"])
ARTEFACTS = {**ARTEFACTS, "folder": _told["files"]}
CLOCK_OFF_BY = float(_told["clock"])  # seconds by which this process takes it to be later than it is
REFUSED = _told["refused"]  # the file that gets a line for each checkpoint the fence refused
INSTALLED_APPS = [*INSTALLED_APPS, "tests.load.witness.Witness"]
