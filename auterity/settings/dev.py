"""The default of `manage.py` and `make run`: embedded unless the environment names services."""

from auterity.settings.base import *  # noqa: F403  Django's own way of building one settings module on another.
