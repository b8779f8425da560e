from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People, organizations and sessions"
    default_auto_field = "django.db.models.BigAutoField"
