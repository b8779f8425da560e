from django.apps import AppConfig

from auterity.kernel.events import listen


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Definitions and versions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from vault.registry import HOLDERS
        from workflows.comments import on_comment
        from workflows.events import CommentChanged, WorkflowDeleted, WorkflowEdited
        from workflows.live import on_deleted, on_edited
        from workflows.models import WorkflowSecret

        HOLDERS.add(WorkflowSecret, "sealed")
        listen(WorkflowEdited, on_edited)
        listen(WorkflowDeleted, on_deleted)
        listen(CommentChanged, on_comment)
