"""What is kept about whom: one line for every table, which export and erasure follow.

A table that is missing here fails the architecture tests, and so does one with a person or an address that its line leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps


@dataclass(frozen=True, slots=True)
class Person:
    """The way from a row to somebody. The row `goes` with the person, or stays and points at an account without a name.

    `whole`: the row is about the person and is exported with all of it; else only that it exists and when it was made.
    """

    path: str
    goes: bool = False
    whole: bool = False


def own(path: str = "user") -> Person:
    """A row that is about one person and nobody else."""
    return Person(path, goes=True, whole=True)


@dataclass(frozen=True, slots=True)
class Table:
    """`owner` is the way to the organization whose rows these are; empty where they are nobody's, and `why` says so.

    `addresses` are columns with somebody's mail address (or, in JSON, a list of them) that an erased person's is taken out of.
    `sentences` are columns in which the product says who did something; the address is taken out of the words around it.
    `others` are columns with addresses of the organization's own customers, which are its to keep or delete.
    `hidden` columns never leave: secrets, digests, and where bytes are kept.
    """

    label: str
    owner: str = "organization"
    people: tuple[Person, ...] = ()
    addresses: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    stays: bool = False  # of an erased organization, too
    why: str = ""

    @property
    def model(self) -> Any:
        return apps.get_model(self.label)


def made_by(*paths: str) -> tuple[Person, ...]:
    """Things of an organization's that somebody made: they stay when the maker goes."""
    return tuple(Person(path) for path in paths)


TABLES: tuple[Table, ...] = (
    # -- people and organizations --
    Table(
        "accounts.Organization",
        "pk",
        stays=True,
        why="An empty row stays, so that late writes of other processes find it.",
    ),
    Table(
        "accounts.User",
        "",
        (Person("pk", whole=True),),
        ("email",),
        hidden=("password", "token_version"),
        why="A person may belong to several organizations; see `erasing.people`.",
    ),
    Table("accounts.Membership", people=(own(),)),
    Table("accounts.CustomRole", people=made_by("made_by")),
    Table("accounts.ApiKey", people=(own(), Person("made_by")), hidden=("digest",)),
    Table("accounts.Session", people=(own(),), hidden=("fingerprint",)),
    Table("accounts.RefreshToken", "session__organization", (Person("session__user", goes=True),)),
    Table(
        "accounts.Invitation",
        people=made_by("invited_by", "accepted_by"),
        addresses=("email",),
        hidden=("token_hash", "serial"),
    ),
    Table("accounts.Letter", "invitation__organization", addresses=("recipient",)),
    Table("accounts.Proof", "", (own(),), ("email",), hidden=("token_hash",), why="It proves a person's mailbox."),
    Table("accounts.Totp", "", (own(),), hidden=("secret",), why="A person's second factor."),
    Table("accounts.BackupCode", "", (own(),), hidden=("code_hash",), why="A person's second factor."),
    Table("accounts.PasswordRecord", "", (own(),), hidden=("password",), why="A person's earlier passwords."),
    Table("accounts.TrustedDevice", "", (own(),), hidden=("fingerprint",), why="A person's device."),
    Table("accounts.LoginAttempt", people=(own(),), hidden=("fingerprint",)),
    Table("accounts.GuessCount", "", hidden=("key",), why="Counters of minutes, under digests."),
    Table("accounts.SpentToken", "", why="Ids of tokens that were used, until they end."),
    Table("accounts.OrganizationPolicies", people=made_by("updated_by")),
    Table("accounts.UsageQuota"),
    Table("accounts.UsageTally"),
    Table("accounts.UsageReservation"),
    Table("accounts.UsageDay"),
    Table("accounts.QuotaWarning"),
    Table(
        "audit.AuditEvent",
        people=(Person("user_id", whole=True),),
        stays=True,
        why="Nothing changes a chained trail; of an erased organization it is pruned, of a person it ends with its time.",
    ),
    Table("audit.AuditChain", "", stays=True, why="A number and a hash of each chain."),
    Table("vault.DataKey", hidden=("wrapped", "server_key")),
    Table("preferences.PreferenceSheet", people=(own(),), hidden=("stamps",)),
    # -- who people are elsewhere, and how they prove it --
    Table("identity.Passkey", "", (own(),), hidden=("credential_id", "public_key"), why="A person's second factor."),
    Table("identity.Ceremony", "", (own(),), hidden=("challenge", "pending"), why="One login or registration."),
    Table("identity.SsoProvider", hidden=("sealed",)),
    Table("identity.ExternalIdentity", "provider__organization", (own(),), ("email",)),
    Table("identity.OAuthGrant", people=(own(),), hidden=("sealed",)),
    Table("identity.OAuthState", "provider__organization", (own(),), hidden=("state_hash", "binding_hash")),
    Table(
        "devices.Device",
        "",
        (own(),),
        hidden=("public_key", "push_secret", "hardware_id_hash"),
        why="A person's machine, wherever they log in.",
    ),
    Table("devices.DeviceChallenge", "", hidden=("nonce",), why="A nonce of a minute."),
    Table(
        "devices.Installation", "", hidden=("secret_hash",), why="An installed app, nobody's until somebody logs in."
    ),
    # -- the outside world --
    Table("integrations.MessageTemplate"),
    Table("integrations.WebhookDelivery", sentences=("payload",)),
    Table("integrations.Connection", hidden=("sealed",)),
    Table("integrations.StoredSms", others=("recipient",)),
    Table("integrations.OutgoingMessage", people=made_by("created_by"), others=("recipients",)),
    Table("integrations.DmsIntegration", hidden=("sealed", "tokens")),
    Table("integrations.DmsSync", people=made_by("created_by"), hidden=("fence",)),
    Table("integrations.DmsCustomer", others=("email",)),
    Table("integrations.DmsVehicle"),
    # -- files and models --
    Table("artefacts.Artefact", people=made_by("created_by"), hidden=("storage_key",)),
    Table("artefacts.ArtefactChunk", "", hidden=("storage_key", "data"), why="Bytes go with their file."),
    Table("artefacts.StorageUse"),
    Table("artefacts.RetentionRules"),
    Table("ai.AiUsage"),
    Table("ai.CustomModel"),
    # -- what people draw --
    Table("workflows.Workflow", people=made_by("created_by")),
    Table("workflows.WorkflowVersion", people=made_by("created_by", "published_by")),
    Table("workflows.WorkflowSecret", hidden=("sealed", "fingerprint")),
    Table("workflows.WorkflowOperation", people=made_by("user")),
    Table("workflows.WorkflowParticipant", people=(own(),)),
    Table("workflows.WorkflowComment", people=(Person("created_by", whole=True), Person("resolved_by"))),
    Table("workflows.Schedule"),
    Table("workflows.WorkflowTestCase", people=made_by("created_by")),
    Table("templates_app.WorkflowTemplate", people=made_by("created_by")),
    Table("templates_app.TemplateParameter", "template__organization"),
    Table("templates_app.TemplateVersion", "template__organization", made_by("created_by")),
    Table("templates_app.TemplateReview", "template__organization", (own(),)),
    # -- what ran --
    Table("executions.RunLimits"),
    Table("executions.WorkflowBrake", addresses=("released_by",)),
    Table(
        "executions.Execution",
        people=made_by("created_by"),
        sentences=("error_message",),
        hidden=("fence", "lease_owner"),
    ),
    Table("executions.ExecutionStep", "execution__organization", sentences=("error_message",)),
    Table("executions.ExecutionLog", sentences=("message", "data")),
    Table("executions.OpenQuestion", addresses=("people",)),
    Table("executions.QuestionAnswer", people=(Person("user", whole=True),), addresses=("email",)),
    Table("executions.ReceivedEvent"),
    Table("executions.ScheduleFire"),
    Table("executions.WebhookReceipt"),
    Table("executions.Worker", "", why="Processes of the platform."),
    Table("executions.WorkflowFigures", "workflow__organization"),
    # -- what people are told, and figures --
    Table("notifications.Inbox", people=(own(),)),
    Table("notifications.SystemAnnouncement", "", made_by("created_by"), why="The platform's own words."),
    Table("notifications.UserNotification", people=(own(),), sentences=("message", "data")),
    Table("monitoring.RequestBucket", "", why="Figures of the platform."),
    Table("monitoring.OrganizationRequestBucket"),
    Table("monitoring.RunBucket"),
    Table("monitoring.AiFigures"),
    Table("monitoring.SystemAlert", "", why="The platform's own state."),
    # -- security --
    Table("security.IncidentNumbers"),
    Table("security.SecurityIncident", people=made_by("reported_by", "assigned_to")),
    Table("security.IncidentEntry", people=made_by("user")),
    Table("security.Threat"),
    Table("security.DetectorRun", "", why="When the platform last looked."),
    Table("security.AlertRule", people=made_by("created_by"), addresses=("channels",)),
    Table("security.TierUpgrade", people=(own(),)),
    # -- native clients --
    Table("native.Release", "", why="The platform's own apps."),
    Table("native.SyncedChange", people=(own(),), hidden=("digest",)),
    Table("native.SentFile", people=(own(),)),
    # -- data rights, and the API's memory --
    Table("privacy.DataExport", people=(Person("user", goes=True),), hidden=("file_id",)),
    Table(
        "privacy.Erasure", "", hidden=("address",), why="It says that somebody's data went, by an id alone.", stays=True
    ),
    Table("api.IdempotencyRecord", hidden=("sealed", "request_hash")),
    Table("api.SocketTicket", hidden=("digest",)),
    Table("api.LineBatch"),
    Table("api.KeptStream", people=(own(),)),
    Table("api.StreamMark", people=(Person("stream__user", goes=True),)),
)


@cache
def by_label() -> dict[str, Table]:
    found = {each.label: each for each in TABLES}
    if len(found) != len(TABLES):
        raise ValueError("A table is named twice in the inventory.")
    return found


@cache
def children_first() -> tuple[Table, ...]:
    """The tables of organizations, each before those that its rows refer to."""
    owned = {each.model: each for each in TABLES if each.owner and not each.stays}
    done: dict[Any, None] = {}

    def visit(model: Any) -> None:
        if model in done:
            return
        for other in owned:
            if other is not model and any(_refers(field, model) for field in other._meta.concrete_fields):
                visit(other)
        done[model] = None

    for model in owned:
        visit(model)
    return tuple(owned[each] for each in done)


def _refers(field: Any, model: Any) -> bool:
    return bool(field.is_relation and field.related_model is model)
