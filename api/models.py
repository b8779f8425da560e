"""What the API itself remembers: the first answer to each Idempotency-Key, tickets for sockets that nobody used yet, and where
the streams of clients are (decision 37)."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from auterity.kernel.models import Identified, JsonText
from auterity.kernel.tenancy import TenantOwned


class IdempotencyRecord(TenantOwned, Identified):
    """One answered POST. Written in the transaction of what it created, so the two exist together or not at all.

    `request_hash` is keyed, and the answer is sealed: both may be of things that are said once and never stored in the clear.
    """

    endpoint = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    sealed = models.BinaryField(default=b"", editable=False)

    class Meta:
        db_table = "idempotency_records"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["organization", "endpoint", "key"], name="idempotency_once")]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.key}"


class SocketTicket(TenantOwned, Identified):
    """A one-time ticket for one socket. Only its digest is kept; using it deletes the row."""

    digest = models.CharField(max_length=64, unique=True)
    session_id = models.UUIDField()
    path = models.CharField(max_length=300)
    expires_at = models.DateTimeField()
    access_until = models.DateTimeField(help_text="When the access token that bought it ends, and so the socket.")

    class Meta:
        db_table = "socket_tickets"
        default_manager_name = "unscoped"

    def __str__(self) -> str:
        return self.path


class LineBatch(TenantOwned, Identified):
    """A piece of the one order in which an organization's clients hear of its journal lines; only written while one listens.

    `entries` are lines by their places, [execution, first, last]; or {alert}, {filter} or {gap}: `api.auterity.organization_log`.
    """

    number = models.PositiveBigIntegerField()
    total = models.PositiveBigIntegerField(help_text="Lines of the organization's log, those of this batch included.")
    entries = JsonText()

    class Meta:
        db_table = "line_batches"
        default_manager_name = "unscoped"
        verbose_name_plural = "line batches"
        constraints = [models.UniqueConstraint(fields=["organization", "number"], name="line_batches_order")]

    def __str__(self) -> str:
        return f"{self.organization_id} #{self.number}"


class KeptStream(TenantOwned, Identified):
    """The stream of one client; its id is the `stream_id`. `owner` is the connection that has it, or had it last."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    client_id = models.CharField(max_length=64)
    rights = models.CharField(max_length=64, help_text="What the client may see, as a checksum.")
    owner = models.CharField(max_length=36, blank=True, default="")
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "client_streams"
        default_manager_name = "unscoped"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user", "client_id"], name="client_streams_of_one")
        ]

    def __str__(self) -> str:
        return self.client_id


class StreamMark(TenantOwned, Identified):
    """Where a stream was before a batch: how far it had counted, and the filter from there on. Frames are counted from one."""

    # Without a constraint: a process may still have a stream that another one began anew, and write a mark that nobody reads.
    stream = models.ForeignKey(
        KeptStream, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    number = models.PositiveBigIntegerField(help_text="The batch that comes next.")
    seq = models.PositiveBigIntegerField()
    filter = JsonText()

    class Meta:
        db_table = "stream_marks"
        default_manager_name = "unscoped"
        constraints = [models.UniqueConstraint(fields=["stream", "number"], name="stream_marks_order")]
        indexes = [models.Index(fields=["organization", "number"], name="stream_marks_by_batch")]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.seq}"
