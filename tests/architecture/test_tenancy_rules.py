"""Whose rows a query sees: every tenant's table fails closed, and who goes around that is on a list."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from accounts.models import Organization
from auterity.kernel.tenancy import TenancyError, TenantManager, TenantOwned
from tests.architecture.source import APPS, attributes, modules

# The machine room and the operators' sites. A new name here needs a reason.
MAY_LOOK_ACROSS_TENANTS = {
    "accounts/admin_access.py",
    "accounts/key_proofs.py",  # a key proves somebody, before it is known whose organization this is
    "accounts/keys.py",  # keys that its caller has found, ended together
    "accounts/invitations.py",  # a link proves somebody to one invitation, before they belong to its organization
    "accounts/letters.py",  # a mail that is due, whoever's it is
    "accounts/policy_changes.py",  # the row of the actor's own organization, which is made when it is first changed
    "accounts/quotas.py",  # what was held back for work that was never heard of again, whoever's it was
    "ai/services.py",  # usage of several organizations' executions, written in one commit
    "artefacts/selectors.py",  # files whose time is over, whoever's they are
    "artefacts/storage.py",  # bytes that no file has
    "audit/chain.py",  # sealing and checking any chain, also the platform's own
    "audit/selectors.py",  # operators and detectors
    "audit/services.py",  # whose time is over, whoever's it is
    "auterity/admin.py",
    "executions/admin.py",
    "executions/arrivals.py",  # answers to questions that its caller has found inside an organization
    "executions/brakes.py",  # starts and brakes of a workflow that its caller has found inside an organization
    "executions/claims.py",  # a worker takes up what is due, whoever's it is
    "executions/everywhere.py",  # what operators see
    "executions/forms.py",  # whoever has a public form's address may send it in
    "executions/incoming.py",  # a caller proves itself to the workflow, not as somebody of an organization
    "executions/journal.py",  # the only writer of what workers record
    "executions/page.py",  # the operators' list
    "executions/questions.py",  # a signed link proves somebody to one question, not to an organization
    "executions/schedules.py",  # a worker fires what is due, whoever's it is
    "executions/selectors.py",  # figures of workflows that the caller has proved to see
    "executions/turns.py",  # the slots of an execution that its caller has found
    "identity/sso.py",  # whoever has a provider's address may sign in by it
    "integrations/dispatch.py",  # messages that are due, whoever's they are
    "integrations/dms/sync.py",  # syncs that are due, whoever's they are
    "integrations/models.py",
    "integrations/providers/sms/outbox.py",  # a row of one organization, written once a key
    "integrations/selectors.py",  # what was given up, for operators
    "integrations/services.py",
    "integrations/webhooks.py",  # results that are due, whoever's they are
    "security/admin.py",
    "security/alerts.py",  # rules that are looked at each minute, whoever's they are
    "security/selectors.py",  # incidents that nobody has taken up, for operators
    "security/threats.py",  # what detectors find, in whoever's trail
    "security/upgrades.py",  # what has come to lack nothing, whoever asked for it
    "privacy/exporting.py",  # one person's files, whichever organizations they are in
    "privacy/jobs.py",  # exports that are due, whoever's they are
    "privacy/selectors.py",  # a signed link proves somebody to one export
    "privacy/services.py",  # exports whose files are gone, whoever's they were
    "templates_app/admin.py",
    "templates_app/reviews.py",  # a review of a template that its caller has proved to see
    "templates_app/sealing_stored.py",  # everybody's old secrets, for an operator's command
    "templates_app/seeding.py",  # the product's own catalogue
    "templates_app/selectors.py",
    "templates_app/services.py",  # a use is counted for whoever owns the template
    "templates_app/versions.py",  # rows of a template that its caller has found
    "vault/selectors.py",  # how operators count keys
    "vault/services.py",  # server keys are everybody's
    "notifications/selectors.py",  # heads of the inboxes of connections that were let in
    "workflows/admin.py",
    "workflows/presence.py",  # connections of this process, whoever's they are
    "workflows/sealing_stored.py",  # everybody's old secrets, for an operator's command
    "workflows/selectors.py",  # heads of the drafts of connections that were let in
    "workflows/plans.py",  # a worker compiles the version of an execution it holds
}
# Rows that belong to a row that belongs to somebody; they have no organization of their own.
OWNED_THROUGH_A_PARENT = {"artefacts.ArtefactChunk", "executions.ExecutionStep", "executions.WorkflowFigures"}
# What belongs to a person, whichever organizations they are in.
OWNED_BY_A_PERSON = {
    "devices.Device",
    "identity.Ceremony",
    "identity.ExternalIdentity",
    "identity.OAuthState",
    "identity.Passkey",
}
# What belongs to the platform and to no tenant.
NOBODYS = {
    "security.DetectorRun",
    "audit.AuditChain",
    "devices.DeviceChallenge",
    "devices.Installation",
    "executions.Worker",
    "monitoring.RequestBucket",
    "monitoring.SystemAlert",
    "native.Release",
    "notifications.SystemAnnouncement",
    "privacy.Erasure",
}
EVERY_MODEL = [model for app in (*APPS, "api") for model in apps.get_app_config(app).get_models()]


def names_an_organization(model: type[models.Model]) -> bool:
    return any(
        each.related_model is Organization for each in model._meta.get_fields() if isinstance(each, models.ForeignKey)
    )


OWNED = [each for each in EVERY_MODEL if names_an_organization(each) and each._meta.app_label != "accounts"]


def test_there_are_tenants_tables() -> None:
    assert len(OWNED) >= 6


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model._meta.label)
def test_a_tenants_table_answers_nobody_who_names_no_tenant(model: type[models.Model]) -> None:
    manager: models.Manager[models.Model] = model.objects  # type: ignore[attr-defined]
    if issubclass(model, TenantOwned):
        assert isinstance(manager, TenantManager)
    for ask in (manager.all, manager.count, lambda: manager.filter(pk=None), lambda: manager.get(pk=None)):
        with pytest.raises(TenancyError):
            ask()


def test_every_other_table_of_the_product_is_known() -> None:
    """A new table either names its organization or is put on one of these lists."""
    rest = {each._meta.label for each in EVERY_MODEL if each not in OWNED and each._meta.app_label != "accounts"}
    through_templates = {label for label in rest if label.startswith("templates_app.")}
    assert rest - OWNED_THROUGH_A_PARENT - OWNED_BY_A_PERSON - NOBODYS - through_templates == set()
    for label in through_templates:
        with pytest.raises(TenancyError):
            apps.get_model(label).objects.all()


def test_only_the_listed_modules_look_across_tenants() -> None:
    used = {path for path, tree in modules().items() if "unscoped" in attributes(tree)}
    assert used == MAY_LOOK_ACROSS_TENANTS


def test_the_api_never_looks_across_tenants() -> None:
    used = {path for path, tree in modules().items() if path.startswith("api/") and "unscoped" in attributes(tree)}
    assert used == set()
