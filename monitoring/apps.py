from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    verbose_name = "Monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from auterity.kernel.events import listen
        from auterity.kernel.ticks import TICKS
        from executions.events import ExecutionsMoved
        from executions.retention import also_forget
        from monitoring import alerts, recording, selectors, services, watched
        from monitoring.listeners import on_moved

        listen(ExecutionsMoved, on_moved)
        also_forget("request figures", selectors.forgotten_requests)
        also_forget("run figures", selectors.forgotten_runs)
        TICKS.add("figures", recording.flush, seconds=5.0, shared=False, finally_too=True)
        TICKS.add("ailments", alerts.note_ailment, seconds=10.0, shared=False)
        TICKS.add("ai services", watched.ask_ai_services, seconds=watched.AI_EVERY_SECONDS)
        TICKS.add("alerts", alerts.evaluate, seconds=15.0)
        TICKS.add("ai figures", services.add_up_ai_calls, seconds=600.0)
        TICKS.add("old figures", services.forget_figures, seconds=600.0)
