from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from auterity.kernel.ticks import TICKS
        from executions.retention import also_forget
        from notifications import of_accounts, producers
        from notifications.announcing import tell_announcements
        from notifications.selectors import forgotten

        producers.subscribe()
        of_accounts.subscribe()
        also_forget("notifications", forgotten)
        TICKS.add("announcements", tell_announcements, seconds=2.0)
