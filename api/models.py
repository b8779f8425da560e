"""What the API itself remembers: the first answer to each Idempotency-Key, and tickets for sockets that nobody used yet."""

from __future__ import annotations

from django.db import models

from auterity.kernel.models import Identified
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
