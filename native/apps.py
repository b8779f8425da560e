from django.apps import AppConfig


class NativeConfig(AppConfig):
    name = "native"
    verbose_name = "Native clients"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from devices.versions import minimum_from
        from executions.retention import also_forget
        from native import configuration, releases, services
        from native.choices import Preferences
        from native.collections import COLLECTIONS
        from native.drafts import WorkflowDrafts
        from native.records import Executions, Files, Notifications, Templates, Workflows

        for each in (WorkflowDrafts, Preferences, Workflows, Executions, Templates, Notifications, Files):
            COLLECTIONS.add(each())
        configuration.offer("offline_drafts", configuration.may_draft)
        also_forget("synced changes", services.forgotten)
        minimum_from(releases.minimum_version)
