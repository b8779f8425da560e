from django.apps import AppConfig
from django.core.checks import register

from auterity.kernel.events import listen


class ApiConfig(AppConfig):
    name = "api"
    verbose_name = "API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.events import ApiKeyEnded, RightsChanged, SessionRevoked
        from api.auterity.client_marks import forgotten_marks, forgotten_streams
        from api.auterity.organization_log import forgotten_batches
        from api.idempotency import forgotten_answers
        from api.models import IdempotencyRecord
        from api.needs import check_operations
        from api.socket_tickets import forgotten_tickets
        from api.socket_watch import on_api_key_ended, on_rights_changed, on_session_revoked
        from executions.retention import also_forget
        from vault.registry import HOLDERS

        HOLDERS.add(IdempotencyRecord, "sealed")
        also_forget("idempotency records", forgotten_answers)
        also_forget("socket tickets", forgotten_tickets)
        also_forget("client streams", forgotten_streams)
        also_forget("line batches", forgotten_batches)
        also_forget("stream marks", forgotten_marks)
        register(check_operations)
        listen(SessionRevoked, on_session_revoked)
        listen(ApiKeyEnded, on_api_key_ended)
        listen(RightsChanged, on_rights_changed)
