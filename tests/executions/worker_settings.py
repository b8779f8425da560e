"""The settings of a worker process: the test's own, on the test's own database, with the trial nodes."""

import json
import os

from auterity.settings.test import *  # noqa: F403  Django's own way of building one settings module on another.
from auterity.settings.test import DATABASES, ENGINE, INSTALLED_APPS

_told = json.loads(os.environ["TRIAL"])
DATABASES["default"]["NAME"] = _told["database"]
ENGINE = {**ENGINE, **_told["engine"]}
EGRESS_ALLOW = ["127.0.0.1"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.executions.trial_nodes.TrialNodes"]
