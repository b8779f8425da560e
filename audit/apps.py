from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit trail"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import chain, services
        from auterity.kernel.ticks import TICKS

        # Not shared: whoever records is the likeliest to seal, and sealers take turns by the chain's own lock.
        TICKS.add("audit chain", chain.seal_all, seconds=1.0, shared=False, finally_too=True)
        TICKS.add("audit anchors", services.anchor_all, seconds=60.0)
        TICKS.add("audit retention", services.prune_all, seconds=3600.0)
