"""Settings that every way of running shares. Values of this machine come from `auterity.env` alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import structlog
from corsheaders.defaults import default_headers

from auterity import env
from auterity.kernel.json_cache import cache_at
from auterity.settings.native import native_apps
from auterity.settings.operators import operators_site

ENV = env.read()
ROOT = env.ROOT
EMBEDDED = not ENV.database_url
VERSION = "1.0.0"

SECRET_KEY = ENV.secret_key
DEBUG = ENV.debug
ALLOWED_HOSTS = ENV.allowed_hosts or ["localhost", "127.0.0.1", "[::1]"]
PUBLIC_URL = ENV.public_url or f"http://localhost:{ENV.port}"
# The newest wraps; the last one is for what was stored before any was set.
VAULT_KEYS = [*ENV.vault_keys, f"vault:{SECRET_KEY}"]

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "auterity",
    "audit",
    "accounts",
    "vault",
    "integrations",
    "identity",
    "devices",
    "preferences",
    "artefacts",
    "ai",
    "workflows",
    "templates_app",
    "executions",
    "notifications",
    "native",
    "monitoring",
    "security",
    "privacy",
    "api",
]

WEB_THREADS = 16  # requests one web process works on side by side; see auterity/http.py

MIDDLEWARE = [
    "api.metering.MeterMiddleware",
    "api.middleware.EdgeMiddleware",
    "api.watching.WatchMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "api.middleware.ExactCorsMiddleware",
    "api.middleware.LimitsMiddleware",
    "api.caching.CachingMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "auterity.urls"
ASGI_APPLICATION = "auterity.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def database(url: str) -> dict[str, Any]:
    """PostgreSQL by URL, else SQLite in WAL mode, which takes one writer at a time and survives kill -9."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(ENV.data_dir / "auterity.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))  # A socket's folder comes as ?host=
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or asked.get("host", ""),
        "PORT": str(parts.port or asked.get("port", "")),
        # A thread keeps its connection; there are few threads (WEB_THREADS, one desk, the workers' side threads).
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "prepare_threshold": 5,  # Only what asks for it is prepared (`auterity.kernel.sql.fetch`).
            "options": "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000",
        },
    }


DATABASES: dict[str, dict[str, Any]] = {"default": database(ENV.database_url)}
REDIS_URL = ENV.redis_url

# What is kept there can be done without. `process` takes what is no JSON.
CACHES = {"default": cache_at(REDIS_URL), "process": cache_at("") | {"LOCATION": "process"}}

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
TOKEN_ISSUER = "auterity"  # noqa: S105  A name, not a secret.
REFRESH_WINDOW = timedelta(days=7)
CROSS_SYSTEMS = ["relaycore"]
INVITATION_LIFETIME = timedelta(days=7)
PASSWORD_RESET_LIFETIME = timedelta(hours=1)
EMAIL_VERIFICATION_LIFETIME = timedelta(days=1)
PRIVACY = {
    "grace": timedelta(days=14),  # in which an organization's erasure can be called off
    "export_kept": timedelta(days=7),
    "link_lifetime": timedelta(minutes=15),
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "auterity.formats"

STATIC_URL = "/static/"
STATIC_ROOT = ENV.data_dir / "static"
# Embedded, static files are served straight from the packages; in production `collectstatic` gathers them first.
WHITENOISE_USE_FINDERS = EMBEDDED
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if EMBEDDED
        else "whitenoise.storage.CompressedStaticFilesStorage"
    },
    # Every machine reaches the database, so there the files are in it; embedded, a folder is enough (decision 13).
    "artefacts": {"BACKEND": f"artefacts.storage.{'FolderStorage' if EMBEDDED else 'DatabaseStorage'}"},
}
# Files that people upload and steps make, in bytes.
ARTEFACTS: dict[str, Any] = {
    "folder": ENV.data_dir / "artefacts",
    "max_upload_bytes": 256 * 1024 * 1024,  # one file from outside
    "max_file_bytes": 1024 * 1024 * 1024,  # one file that a step makes
    "max_organization_bytes": ENV.files_gigabytes * 1024 * 1024 * 1024,  # all files of one organization
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "operators_csrftoken"  # `csrftoken` is the API's own; see `api.csrf`.
# The cookies of users' logins: over TLS only, but where this machine is all there is.
COOKIES_SECURE = not EMBEDDED or PUBLIC_URL.startswith("https://")
# Exactly these origins, with scheme and port, and of our pages the API alone.
CORS_ALLOWED_ORIGINS = ENV.cors_origins
CORS_ALLOW_CREDENTIALS = ENV.cors_credentials
CORS_URLS_REGEX = r"^/(?:api|v1|native|public|health|openapi)\b"
WHITENOISE_ALLOW_ALL_ORIGINS = False
CORS_ALLOW_HEADERS = [
    *default_headers,
    "api-version",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "range",
    "x-csrf-token",
    "x-request-id",
    "x-session-cookies",
]
CORS_EXPOSE_HEADERS = [
    "API-Version",
    "Content-Disposition",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Retry-After",
    "Sunset",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Window",
    "X-Request-ID",
    "X-Total-Count",
]

PLATFORM_DEFAULT_VERSION = ENV.default_version  # the edition of the API for whoever names none
RATE_LIMITS = ENV.rate_limits
LOGIN_DEBUG = ENV.login_debug
TRUSTED_PROXIES = ENV.trusted_proxies
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "URL_FORMAT_OVERRIDE": None,  # The Accept header decides; `?format=` is nobody's parameter.
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS = {
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # There is a document a dialect, none of everything; CI checks each.
    "TITLE": "Auterity",
    "VERSION": VERSION,
    "DESCRIPTION": (
        "Workflows that an AI, people and systems carry out together, and that survive crashes.\n\n"
        "**Editions.** The header `API-Version` chooses how requests and answers look: `2025-08-08`, `2024-01-15` (the default) "
        "or `2023-12-01`. Every answer names its edition. `2023-12-01` is deprecated and ends on 2028-01-01. To leave it: read "
        "`nodes` and `edges` at the top of a workflow or go on reading them in `definition`, read an execution's `output_data` "
        "instead of `result`, and an error's `error.code` and `error.message` instead of `code` and `error`.\n\n"
        "**Limits.** Every answer says in `X-RateLimit-Limit`, `-Remaining`, `-Reset` (unix seconds) and `-Window` (seconds) "
        "what is left; 429 says in `Retry-After` how many seconds to wait.\n\n"
        "**Caching.** A GET answers an `ETag`; sent as `If-None-Match` it gets 304 while nothing changed."
    ),
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # Every field of a change is optional as it is.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PREPROCESSING_HOOKS": ["api.schema.describe"],
    "POSTPROCESSING_HOOKS": ["api.openapi.finish"],
}

# What the engine promises, in seconds and counts. See docs/architecture.md, "How an execution survives".
ENGINE: dict[str, Any] = {
    "lease_seconds": 30.0,
    "claim_batch": 50,  # executions one wake-up takes
    "effect_threads": 32,  # outside calls one process makes side by side
    "poll_seconds": 1.0,  # how often a worker looks without being told
    "schedule_grace_seconds": 30.0,  # how late a schedule may fire and still count as in time
    "poison_attempts": 5,  # claims without progress before an execution is given up
    "max_steps": 20_000,  # steps one execution may take
    "max_output_bytes": 32 * 1024 * 1024,  # one step's output; above inline_bytes it is kept as a file
    "inline_bytes": 256 * 1024,  # a step's output over this is kept as a file, by reference in its row
    "max_input_bytes": 1024 * 1024,  # inputs and context of one execution
    "execution_timeout_seconds": 24 * 3600.0,
    "concurrent_runs": 1000,  # runs of one organization under way at once; 0 is no limit, here and below
    "queued_runs": 20_000,  # runs of one organization accepted and not begun
    "queued_runs_in_all": 200_000,
    "starts_per_minute": 0,  # of one organization
    "storm_starts_per_minute": 1000,  # automatic starts of one workflow, at least, that look like a storm
    "storm_times_usual": 10,  # and this many times what it had in the hour before
    "storm_depth": 5,  # how deep a workflow may start itself
    "brake_seconds": 900.0,  # how long a braked workflow stays so
    "poisoned_runs": 3,  # runs of one version given up as poison within `poison_seconds` that brake it
    "poison_seconds": 600.0,
    "hung_threads": 16,  # steps that never came back before a worker stops taking work
    "sync_wait_seconds": 25.0,  # how long execution_mode=sync waits before it answers 202
}

# When operators are alerted. See docs/howto/watch.md.
MONITORING: dict[str, Any] = {
    "error_percent": 5.0,  # of the requests that fail on our side (5xx) ...
    "error_minutes": 5,  # ... within the last so many minutes ...
    "error_requests": 50,  # ... when there were at least so many
    "lag_seconds": 60.0,  # that a due execution waits for a worker
    "disk_free_percent": 5.0,
}

# The audit trail. An organization's own policy may keep it longer or shorter, but never under `least_days`.
AUDIT: dict[str, Any] = {"keep_days": 365, "least_days": 30}

NATIVE = native_apps(support_email=ENV.support_email)

SOCKETS: dict[str, Any] = {"most": 4000}  # open at once in one process

REGISTRATION = ENV.registration
NATIVE_MINIMUM_VERSION = ENV.native_minimum_version
PASSKEY_DOMAIN = ENV.passkey_domain
PASSKEY_ORIGINS = ENV.passkey_origins
GOOGLE: dict[str, Any] = {
    "client_id": ENV.google_client_id,
    "client_secret": ENV.google_client_secret,
    "issuer": ENV.google_issuer,
    "registration": ENV.google_registration,
}
OAUTH_REDIRECT_URIS = ENV.oauth_redirects

EGRESS_ALLOW = ENV.egress_allow
OPENAI_API_KEY = ENV.openai_api_key
OPENAI_BASE_URL = ENV.openai_base_url
DEFAULT_MODEL = ENV.openai_model
SMTP_URL = ENV.smtp_url
MAIL_FROM = ENV.mail_from
OUTBOX_DIR = ENV.data_dir / "outbox"
SMS_URL = ENV.sms_url
SQLITE_DIR = ENV.sqlite_dir

CELERY = {
    "broker_url": ENV.broker_url or REDIS_URL or "memory://",
    "result_backend": None,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_acks_late": False,  # messages are hints; the lease repairs what a lost one would have started
    "task_publish_retry": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "broker_transport_options": {
        "visibility_timeout": 300,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": "aut:",
    }
    if not ENV.broker_url
    else {},
    "beat_schedule": {
        "sweep": {"task": "executions.sweep", "schedule": 1.0, "options": {"expires": 5}},
        "fire_due": {"task": "executions.fire_due", "schedule": 1.0, "options": {"expires": 5}},
    },
}

# One line an event. Tracebacks never show local variables: those are customers' data and secrets.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=["event", "request_id"], drop_missing=True),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "auterity.kernel.logs.Plain"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"audit.anchors": {"level": "INFO"}},
}

LOGIN_REDIRECT_URL = "admin:index"  # where a login to the operators' site leads that came from nowhere
UNFOLD = operators_site(static_url=STATIC_URL)
