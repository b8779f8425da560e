"""Settings of a process that works on a test's SQLite file."""

import os

from auterity.settings.test import *  # noqa: F403  As the tests' own settings.
from auterity.settings.test import DATABASES

DATABASES["default"]["NAME"] = os.environ["MONITORED_DATABASE"]
