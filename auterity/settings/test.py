"""For the tests: as the product runs, with cheap password hashing, a throw-away data folder and short leases."""

import tempfile
from pathlib import Path

from auterity.settings.base import *  # noqa: F403  Django's own way of building one settings module on another.
from auterity.settings.base import ARTEFACTS, DATABASES, EMBEDDED, ENGINE, GOOGLE

_data = Path(tempfile.mkdtemp(prefix="auterity-test-"))

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
OUTBOX_DIR = _data / "outbox"
STATIC_ROOT = _data / "static"
ARTEFACTS = {**ARTEFACTS, "folder": _data / "artefacts"}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "artefacts": {"BACKEND": f"artefacts.storage.{'FolderStorage' if EMBEDDED else 'DatabaseStorage'}"},
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: the tests use several threads and processes on one database, as the product does.
    DATABASES["default"]["NAME"] = str(_data / "live.sqlite3")
    DATABASES["default"]["TEST"] = {"NAME": str(_data / "test.sqlite3")}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 0
WHITENOISE_AUTOREFRESH = True  # Looks for a file when it is asked for, not for every file in every test client.
ENGINE = {**ENGINE, "lease_seconds": 3.0, "poll_seconds": 0.1}
OPENAI_API_KEY = ""
OPENAI_BASE_URL = ""
SMTP_URL = ""
SMS_URL = ""
SQLITE_DIR = ""
GOOGLE = {**GOOGLE, "client_id": "", "client_secret": ""}
RATE_LIMITS = False  # But in the tests of the limits.
