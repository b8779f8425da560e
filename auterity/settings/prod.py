"""Behind TLS: what `base` says, with the switches that only make sense there."""

from django.core.exceptions import ImproperlyConfigured

from auterity.settings.base import *  # noqa: F403  Django's own way of building one settings module on another.
from auterity.settings.base import ENV

if ENV.debug:
    raise ImproperlyConfigured("AUTERITY_DEBUG must be off in production.")

if ENV.login_debug:
    raise ImproperlyConfigured("AUTERITY_LOGIN_DEBUG must be off in production.")

SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
COOKIES_SECURE = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
# Whether a domain is on browsers' preload list is its owner's to decide: it cannot be taken back within months.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
