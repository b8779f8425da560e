from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from api.base import forgotten_answers
        from executions.retention import also_forget

        also_forget("idempotency records", forgotten_answers)
