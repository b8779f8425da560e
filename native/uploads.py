"""Files that native clients send: into the organization's files, checked as every upload is, once for each `client_upload_id`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import IO
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from artefacts import kinds
from artefacts import services as artefacts
from artefacts.errors import FileTooLarge
from artefacts.models import Artefact
from auterity.kernel.access import Actor, Permission, Scope, require, require_scope
from native.errors import ChecksumMismatch, ConversationNotFound
from native.models import SentFile


class Purpose(StrEnum):
    ATTACHMENT = "attachment"
    CRASH_LOG = "crash_log"
    WORKFLOW_INPUT = "workflow_input"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was stored; `repeated`: it had come before, and nothing new was."""

    row: SentFile
    file: Artefact
    repeated: bool = False


def admit(*, actor: Actor, size: int) -> None:
    """Whether a file of about this size may come at all: asked before anything of it is read. Raises as `send` does."""
    require_scope(actor, Scope.UPLOAD)
    _check_size(size)
    artefacts.admit_upload(actor=actor, size=size)


def earlier(*, actor: Actor, client_upload_id: UUID) -> Sent | None:
    """What came under a client's name for it before, unless the file is gone."""
    rows = SentFile.objects.of(actor).filter(user_id=actor.user_id, client_upload_id=client_upload_id)
    found: SentFile | None = rows.select_related("file").first()
    return None if found is None else Sent(found, found.file, repeated=True)


def send(
    *,
    actor: Actor,
    name: str,
    content: IO[bytes],
    purpose: Purpose = Purpose.ATTACHMENT,
    sha256: str = "",
    conversation_id: UUID | None = None,
    client_upload_id: UUID | None = None,
) -> Sent:
    """Store a file under the type its bytes have. One that came before under its `client_upload_id` is answered with the first.

    `sha256` is of the bytes as they were sent; of a picture it is made anew that is kept, which has another one.
    Raises `ChecksumMismatch`, `FileRefused`, `FileTooLarge`, `StorageFull`, `ConversationNotFound`.
    """
    require_scope(actor, Scope.UPLOAD)
    require(actor, Permission.WORKFLOW_EXECUTE)
    if conversation_id is not None:  # There are none in this product yet, so whatever it names is not here.
        raise ConversationNotFound
    if client_upload_id is not None and (known := earlier(actor=actor, client_upload_id=client_upload_id)) is not None:
        return known
    _check_size(kinds.size_of(content))
    _check_sum(content, sha256)
    file = artefacts.upload(
        actor=actor,
        name=kinds.named(artefacts.file_name(name), content),
        declared_type="",  # What the client says of the type counts for nothing here.
        file=content,
        key="" if client_upload_id is None else f"sent/{actor.user_id}/{client_upload_id}",
    )
    row = SentFile(
        organization_id=actor.organization_id,
        user_id=actor.user_id,
        file=file,
        purpose=purpose.value,
        client_upload_id=client_upload_id,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # The same came twice at once. Both stored under one key: there is one file.
        known = None if client_upload_id is None else earlier(actor=actor, client_upload_id=client_upload_id)
        if known is None:
            raise
        return known
    return Sent(row, file)


def _check_size(size: int) -> None:
    most = settings.NATIVE["max_upload_bytes"]
    if size > most:
        raise FileTooLarge(f"A file may have {most:,} bytes.", max_bytes=most)


def _check_sum(content: IO[bytes], sha256: str) -> None:
    if not sha256:
        return
    content.seek(0)
    came = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]  # It reads as a file does.
    content.seek(0)
    if came != sha256.lower():
        raise ChecksumMismatch(sha256=came)
