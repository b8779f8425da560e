from django.apps import AppConfig
from django.core.checks import register

from integrations.registry import discover


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = "The outside world"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from integrations.checks import check_settings  # Models can be imported only once every app is loaded.
        from integrations.models import Connection, DmsIntegration
        from vault.registry import HOLDERS

        discover()
        HOLDERS.add(Connection, "sealed")
        HOLDERS.add(DmsIntegration, "sealed")
        register(check_settings)
