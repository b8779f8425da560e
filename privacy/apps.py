from django.apps import AppConfig


class PrivacyConfig(AppConfig):
    name = "privacy"
    verbose_name = "Data rights"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from auterity.kernel.ticks import TICKS
        from privacy import jobs, services

        TICKS.add("data rights", jobs.tick, seconds=5.0, shared=False)
        TICKS.add("old exports", services.expire_exports, seconds=3600.0)
