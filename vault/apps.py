from django.apps import AppConfig
from django.core.checks import Tags, register


class VaultConfig(AppConfig):
    name = "vault"
    verbose_name = "Data keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from vault.checks import check_server_keys

        register(check_server_keys, Tags.security, deploy=True)
