from django.apps import AppConfig

from auterity.kernel.events import listen


class ExecutionsConfig(AppConfig):
    name = "executions"
    verbose_name = "Executions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.limits import Counter
        from accounts.usage import count_with
        from executions.events import ExecutionAccepted, ExecutionsMoved
        from executions.hints import on_accepted
        from executions.live import on_moved
        from executions.usage import accepted

        listen(ExecutionAccepted, on_accepted)
        listen(ExecutionsMoved, on_moved)
        count_with(Counter.WORKFLOW_EXECUTIONS, accepted)
