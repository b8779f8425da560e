from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "security"
    verbose_name = "Security"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit.services import keep_by
        from auterity.kernel.ticks import TICKS
        from executions.retention import also_forget
        from security import alerts, observing, recording, threats, upgrades

        recording.subscribe()
        keep_by(recording.days_kept)
        also_forget("threats", threats.forgotten)
        TICKS.add("watched requests", observing.WATCH.flush, seconds=10.0, shared=False, finally_too=True)
        TICKS.add("threats", threats.detect, seconds=60.0)
        TICKS.add("security alerts", alerts.evaluate_all, seconds=60.0)
        TICKS.add("asked tiers", upgrades.settle_pending, seconds=60.0)
