from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"
    verbose_name = "Native apps and devices"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.checks import register

        from accounts.vouching import ask_last_too
        from devices import proofs
        from devices.versions import check_settings

        ask_last_too(proofs.check_client)
        register(check_settings)
