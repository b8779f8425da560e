"""The composition root: discovers node types and providers, and loads Celery where there is a broker to speak to."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from engine.registry import discover


class AuterityConfig(AppConfig):
    name = "auterity"
    verbose_name = "Auterity"

    def ready(self) -> None:
        discover("nodes")
        if not settings.EMBEDDED:
            import_module("auterity.celery")  # Makes it the application that shared tasks are sent by.
