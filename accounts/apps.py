from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People, organizations and sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.limits import Counter
        from accounts.members import collaborators
        from accounts.usage import measure_with

        measure_with(Counter.COLLABORATORS, collaborators)
