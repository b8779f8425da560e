"""The lists that operators need most, by what they are about. All others are under "All applications", and found by search."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

GROUPS: Final = {
    "Runs": (
        "executions.execution", "executions.executionstep", "executions.openquestion", "executions.workflowbrake",
        "executions.worker", "workflows.workflow", "workflows.schedule",
    ),
    "Sent and received": (
        "integrations.webhookdelivery", "integrations.outgoingmessage", "accounts.letter", "executions.webhookreceipt",
        "integrations.dmssync", "integrations.connection",
    ),
    "People": (
        "accounts.user", "accounts.organization", "accounts.membership", "accounts.invitation", "accounts.loginattempt",
        "accounts.session", "accounts.totp", "identity.passkey", "devices.device", "accounts.apikey", "identity.ssoprovider",
    ),
    "Security and data": (
        "security.securityincident", "security.threat", "audit.auditevent", "vault.datakey", "privacy.dataexport",
        "privacy.erasure",
    ),
    "Limits and use": (
        "accounts.usagequota", "executions.runlimits", "artefacts.retentionrules", "artefacts.storageuse", "ai.aiusage",
    ),
    "The product": (
        "monitoring.systemalert", "notifications.systemannouncement", "templates_app.workflowtemplate",
        "integrations.messagetemplate", "native.release",
    ),
}  # fmt: skip


def most_used(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's SIDEBAR.navigation: what this operator may look at."""
    groups = [
        {"title": title, "separator": True, "items": [_item(each) for each in labels if _may_view(request, each)]}
        for title, labels in GROUPS.items()
    ]
    return [each for each in groups if each["items"]]


def _may_view(request: HttpRequest, label: str) -> bool:
    app, model = label.split(".")
    return bool(request.user.has_perm(f"{app}.view_{model}"))


def _item(label: str) -> dict[str, Any]:
    app, model = label.split(".")
    title = capfirst(str(apps.get_model(label)._meta.verbose_name_plural))
    return {"title": title, "link": reverse(f"admin:{app}_{model}_changelist")}
