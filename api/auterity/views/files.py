"""Stored files: `/api/files`."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import files as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from api.downloads import download
from api.uploads import UploadParser, WhateverIsAccepted, announced, uploaded
from artefacts import selectors, services
from artefacts.errors import FileDamaged, FileNotFound, FileRefused, FileTooLarge, StorageFull
from artefacts.models import Artefact
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied

READING = (NotAuthenticated, PermissionDenied, FileNotFound)


class FilesView(AuterityView):
    parser_classes = [UploadParser]

    @operation(
        needs=Permission.WORKFLOW_EXECUTE,
        summary="Upload a file",
        raw_body=bodies.FileUpload,
        answers={201: bodies.FileBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, FileRefused, FileTooLarge, StorageFull],
    )
    def post(self, call: Call[None]) -> Answer:
        """One file, as the part `file` of a multipart/form-data body. Its extension, the type it is sent as and its first bytes
        must agree. CSV, TSV, text, JSON, NDJSON, XML, mail, PDF, XLSX and pictures are taken; of a picture the picture alone is
        kept, made anew. A `file-processor` step reads a file by its `id`."""
        services.admit_upload(actor=call.actor, size=announced(call.request))
        file = uploaded(call.request)
        made = services.upload(actor=call.actor, name=file.name, declared_type=file.sent_as, file=file.content)
        return Answer(_file(made), 201)

    @operation(
        needs=Permission.EXECUTION_READ,
        summary="List the files",
        query=bodies.FileQuery,
        answers={200: bodies.FilePage},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """Newest first: what people uploaded and what steps made."""
        rows = selectors.artefacts(actor=call.actor, purpose=call.query.purpose, execution_id=call.query.execution_id)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.FilePage(files=[_file(each) for each in found], **page))


class FileView(AuterityView):
    @operation(
        needs=Permission.EXECUTION_READ,
        summary="What is known of a file",
        answers={200: bodies.FileBody},
        raises=READING,
    )
    def get(self, call: Call[None], file_id: UUID) -> Answer:
        """Without its content."""
        return Answer(_file(selectors.artefact(actor=call.actor, artefact_id=file_id)))

    @operation(needs=Permission.WORKFLOW_EXECUTE, summary="Delete a file", answers={204: None}, raises=READING)
    def delete(self, call: Call[None], file_id: UUID) -> Answer:
        """At once. A workflow that names it fails at that step from then on."""
        services.delete(actor=call.actor, artefact_id=file_id)
        return Answer(None, 204)


class FileContentView(AuterityView):
    content_negotiation_class = WhateverIsAccepted

    @operation(
        needs=Permission.EXECUTION_READ,
        id="file_content",
        summary="Download a file",
        answers={200: bytes, 206: bytes, 304: None},
        raises=[*READING, FileDamaged],
    )
    def get(self, call: Call[None], file_id: UUID) -> Answer:
        """As an attachment, never as a page. Honours `Range` for one range of bytes, and `If-None-Match` with the ETag."""
        return Answer(download(call.request, selectors.artefact(actor=call.actor, artefact_id=file_id)))


def _file(row: Artefact) -> bodies.FileBody:
    return bodies.FileBody(
        id=row.pk,
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        purpose=cast("bodies.FilePurpose", row.purpose),
        execution_id=row.execution_id,
        created_by=row.created_by_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
