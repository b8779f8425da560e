"""The only reader of the process environment. Every name the product understands is here, with its meaning."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import environ

_read = environ.Env()

_OFF = ("off", "false", "no", "0")  # Whatever else is said leaves on what protects.

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Environment:
    """What the operator said. Empty strings mean "not said"."""

    data_dir: Path  # AUTERITY_DATA_DIR: where the embedded mode keeps its database, outbox and keys
    secret_key: str  # AUTERITY_SECRET_KEY: signs sessions and tokens; made and kept in data_dir when not said
    vault_keys: list[str]  # AUTERITY_VAULT_KEYS: comma list, newest first: what stored credentials are protected by
    debug: bool  # AUTERITY_DEBUG
    allowed_hosts: list[str]  # AUTERITY_ALLOWED_HOSTS: comma list
    public_url: str  # AUTERITY_PUBLIC_URL: how browsers reach this server, for links in mails
    port: int  # PORT
    database_url: str  # DATABASE_URL: PostgreSQL; empty = embedded SQLite
    redis_url: str  # REDIS_URL: broker, live updates, cache; empty = inside the process
    broker_url: str  # AUTERITY_BROKER_URL: another broker than REDIS_URL, e.g. amqp://
    openai_api_key: str  # OPENAI_API_KEY
    openai_base_url: str  # OPENAI_BASE_URL: any OpenAI-compatible server
    openai_model: str  # AUTERITY_DEFAULT_MODEL: the model used when a node names none
    smtp_url: str  # AUTERITY_SMTP_URL: smtp://user:password@host:port, smtp+tls:// or smtps://
    mail_from: str  # AUTERITY_MAIL_FROM
    support_email: str  # AUTERITY_SUPPORT_EMAIL: whom native clients name to people who need help
    files_gigabytes: int  # AUTERITY_FILES_GB: how much room one organization's files may take, in GiB
    sms_url: str  # AUTERITY_SMS_URL: twilio://SID:TOKEN@?from=+15125550100 or messagebird://:KEY@?from=NAME
    sqlite_dir: str  # AUTERITY_SQLITE_DIR: the folder whose SQLite files connections may open; empty = none may
    egress_allow: list[str]  # AUTERITY_EGRESS_ALLOW: hosts or networks that outgoing calls may reach although private
    cors_origins: list[str]  # AUTERITY_CORS_ORIGINS: browser origins that may call the API
    cors_credentials: (
        bool  # AUTERITY_CORS_CREDENTIALS: whether those origins may use the visitor's cookies; off when not said
    )
    login_debug: bool  # AUTERITY_LOGIN_DEBUG: tells everybody why a login fails; for development only
    rate_limits: bool  # AUTERITY_RATE_LIMITS: "off" turns rate limits off
    trusted_proxies: int  # AUTERITY_TRUSTED_PROXIES: how many proxies of yours stand before the server; 0 = none
    default_version: str  # AUTERITY_DEFAULT_VERSION: the API's edition for requests that name none
    passkey_domain: (
        str  # AUTERITY_PASSKEY_DOMAIN: what passkeys are bound to; the host of AUTERITY_PUBLIC_URL when not said
    )
    passkey_origins: list[str]  # AUTERITY_PASSKEY_ORIGINS: further pages and apps on which passkeys may be used
    registration: bool  # AUTERITY_REGISTRATION: "off" lets people in by invitation or an organization's provider only
    native_minimum_version: (
        str  # AUTERITY_NATIVE_MINIMUM_VERSION: the oldest desktop or mobile app that may still register
    )
    google_client_id: str  # AUTERITY_GOOGLE_CLIENT_ID
    google_client_secret: str  # AUTERITY_GOOGLE_CLIENT_SECRET
    google_issuer: str  # AUTERITY_GOOGLE_ISSUER: another OpenID provider in Google's place
    google_registration: (
        bool  # AUTERITY_GOOGLE_REGISTRATION: "off" lets nobody make an account by signing in with Google
    )
    oauth_redirects: list[
        str
    ]  # AUTERITY_OAUTH_REDIRECT_URIS: where providers may send people back to; the first is the usual


def read() -> Environment:
    """Read the process environment once, at start-up. Raises `environ.ImproperlyConfigured` on a malformed value."""
    data_dir = Path(_read.str("AUTERITY_DATA_DIR", str(ROOT / ".data"))).resolve()
    return Environment(
        data_dir=data_dir,
        secret_key=_read.str("AUTERITY_SECRET_KEY", "") or _kept_secret(data_dir),
        vault_keys=[each for each in _read.list("AUTERITY_VAULT_KEYS", default=[]) if each],
        debug=_read.bool("AUTERITY_DEBUG", False),
        allowed_hosts=_read.list("AUTERITY_ALLOWED_HOSTS", default=[]),
        public_url=_read.str("AUTERITY_PUBLIC_URL", "").rstrip("/"),
        port=_read.int("PORT", 8000),
        database_url=_read.str("DATABASE_URL", ""),
        redis_url=_read.str("REDIS_URL", ""),
        broker_url=_read.str("AUTERITY_BROKER_URL", ""),
        openai_api_key=_read.str("OPENAI_API_KEY", ""),
        openai_base_url=_read.str("OPENAI_BASE_URL", ""),
        openai_model=_read.str("AUTERITY_DEFAULT_MODEL", ""),
        smtp_url=_read.str("AUTERITY_SMTP_URL", ""),
        mail_from=_read.str("AUTERITY_MAIL_FROM", "Auterity <no-reply@auterity.local>"),
        support_email=_read.str("AUTERITY_SUPPORT_EMAIL", "").strip(),
        files_gigabytes=_read.int("AUTERITY_FILES_GB", 20),
        sms_url=_read.str("AUTERITY_SMS_URL", ""),
        sqlite_dir=_read.str("AUTERITY_SQLITE_DIR", ""),
        egress_allow=_read.list("AUTERITY_EGRESS_ALLOW", default=[]),
        cors_origins=_read.list("AUTERITY_CORS_ORIGINS", default=[]),
        cors_credentials=_read.bool("AUTERITY_CORS_CREDENTIALS", False),
        login_debug=_read.bool("AUTERITY_LOGIN_DEBUG", False),
        rate_limits=_read.str("AUTERITY_RATE_LIMITS", "").strip().lower() not in _OFF,
        trusted_proxies=_read.int("AUTERITY_TRUSTED_PROXIES", 0),
        default_version=_read.str("AUTERITY_DEFAULT_VERSION", "2024-01-15"),
        passkey_domain=_read.str("AUTERITY_PASSKEY_DOMAIN", "").lower(),
        passkey_origins=[each for each in _read.list("AUTERITY_PASSKEY_ORIGINS", default=[]) if each],
        registration=_read.str("AUTERITY_REGISTRATION", "").strip().lower() not in _OFF,
        native_minimum_version=_read.str("AUTERITY_NATIVE_MINIMUM_VERSION", "0.0.0").strip(),
        google_client_id=_read.str("AUTERITY_GOOGLE_CLIENT_ID", ""),
        google_client_secret=_read.str("AUTERITY_GOOGLE_CLIENT_SECRET", ""),
        google_issuer=_read.str("AUTERITY_GOOGLE_ISSUER", "https://accounts.google.com"),
        google_registration=_read.str("AUTERITY_GOOGLE_REGISTRATION", "").strip().lower() not in _OFF,
        oauth_redirects=[each for each in _read.list("AUTERITY_OAUTH_REDIRECT_URIS", default=[]) if each],
    )


def _kept_secret(data_dir: Path) -> str:
    """A random key made on the first start and kept beside the embedded database, readable by its owner only."""
    path = data_dir / "secret_key"
    if path.exists():
        return path.read_text().strip()
    data_dir.mkdir(parents=True, exist_ok=True)
    made = data_dir / f"secret_key.{secrets.token_hex(4)}"
    made.touch(mode=0o600)
    made.write_text(secrets.token_urlsafe(48))
    try:
        path.hardlink_to(made)  # Two processes may start at once; the first link wins and both read it.
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_text().strip()
