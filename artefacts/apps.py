from django.apps import AppConfig


class ArtefactsConfig(AppConfig):
    name = "artefacts"
    verbose_name = "Files"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.limits import Counter
        from accounts.usage import measure_with
        from artefacts.selectors import stored_mebibytes

        measure_with(Counter.STORAGE_MB, stored_mebibytes)
