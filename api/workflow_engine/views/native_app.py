"""`/native/config`, `/native/updates` and `/native/api/upload`: what native apps begin with, update to, and send (003)."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.http import QueryDict

from accounts import selectors as people
from accounts.errors import NotAuthenticated
from api import logins
from api.base import Answer, Call, operation
from api.needs import OPEN
from api.uploads import FIELD, UploadParser, announced, uploaded
from api.workflow_engine.bodies import native_app as bodies
from api.workflow_engine.dialect import WORKFLOW_ENGINE, WorkflowEngineView
from artefacts.errors import FileRefused, FileTooLarge, StorageFull
from auterity.kernel.access import Permission, Scope
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.versions import given_version
from native import configuration, releases, uploads
from native.errors import ChecksumMismatch, ConversationNotFound
from native.models import Release
from native.uploads import Purpose, Sent

NOT_INDEXED = "Stored. It was not indexed: this server has no semantic search."


class ConfigView(WorkflowEngineView):
    public = True

    @operation(
        id="native_config",
        needs=OPEN,
        summary="What a native app needs at its start",
        query=bodies.ConfigQuery,
        answers={200: bodies.ConfigBody},
        raises=[InvalidInput],
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """From the server's settings and, with a token, the organization's policies and the person's preferences.

        The ETag is `config_version`: 304 while nothing changed.
        """
        actor = logins.somebody(call.request)
        found = configuration.configuration(
            actor=actor,
            platform=call.query.platform,
            app_version=call.query.app_version,
            role=logins.shown_role(people.profile(actor)) if actor is not None else "",
            access_seconds=WORKFLOW_ENGINE.access_seconds,
        )
        body = bodies.ConfigBody(config_version=found.version, **found.body)
        return Answer(body, headers={"ETag": f'"{found.version}"', "Vary": "Authorization"})


class UpdatesView(WorkflowEngineView):
    public = True

    @operation(
        id="native_updates",
        needs=OPEN,
        summary="Whether there is a newer version of a native app",
        query=bodies.UpdatesQuery,
        answers={200: bodies.UpdatesBody},
        raises=[InvalidInput],
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """Of the releases that the operators recorded; with none there is no update.

        A release that is rolled out in stages is offered to the same installations each time, by a hash of `install_id`. Without
        one the person's own id stands for it, and without a login only what is offered to everybody is told.
        """
        actor, query = logins.somebody(call.request), call.query
        current = given_version(query.app_version, "app_version")
        found = releases.standing(
            platform=query.platform,
            current=current,
            channel=query.channel,
            arch=query.arch,
            installation=query.install_id or (actor.user_id if actor is not None else None),
        )
        body = bodies.UpdatesBody(
            update_available=found.release is not None,
            mandatory=found.mandatory,
            current_version=str(current),
            latest_version=str(max(found.latest, current)),
            minimum_version=str(found.minimum),
            release=_release(found.release) if found.release else None,
            checked_at=found.checked_at,
            next_check_seconds=settings.NATIVE["check_seconds"],
        )
        return Answer(body, headers={"Cache-Control": "no-store"})


class NativeUploadParser(UploadParser):
    most = settings.NATIVE["max_upload_bytes"]


class UploadView(WorkflowEngineView):
    parser_classes = [NativeUploadParser]

    @operation(
        id="native_api_upload",
        needs=(Permission.WORKFLOW_EXECUTE, Scope.UPLOAD),
        summary="Upload a file from a native app",
        raw_body=bodies.UploadForm,
        answers={201: bodies.UploadBody},
        raises=[
            NotAuthenticated, PermissionDenied, InvalidInput, ChecksumMismatch, ConversationNotFound, FileRefused, FileTooLarge,
            StorageFull,
        ],
    )  # fmt: skip
    def post(self, call: Call[None]) -> Answer:
        """One file of up to 25 MiB. Its type is told from its bytes; a name without a known extension gets that type's.

        A repeated `client_upload_id` answers with the first upload, with `Idempotent-Replayed: true`. Nothing is indexed yet:
        with `index` the file is stored, `indexing_task_id` is null, and the message says so. There are no conversations yet:
        naming one is 404.
        """
        uploads.admit(actor=call.actor, size=announced(call.request))
        file = uploaded(call.request)
        given = cast("QueryDict", call.request.data).dict()
        said = {name: value for name, value in given.items() if name != FIELD and value != ""}
        form = bodies.UploadForm.model_validate({**said, FIELD: None})
        sent = uploads.send(
            actor=call.actor,
            name=form.filename or file.name,
            content=file.content,
            purpose=Purpose(form.purpose),
            sha256=form.sha256 or "",
            conversation_id=form.conversation_id,
            client_upload_id=form.client_upload_id,
        )
        headers = {"Idempotent-Replayed": "true"} if sent.repeated else None
        return Answer(_sent(sent), 201, headers=headers, beside={"message": NOT_INDEXED} if form.index else None)


def _release(row: Release) -> bodies.ReleaseBody:
    return bodies.ReleaseBody(
        version=row.version,
        channel=row.channel,
        released_at=row.released_at,
        notes_markdown=row.notes_markdown,
        download_url=row.download_url,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        signature=row.signature or None,
    )


def _sent(sent: Sent) -> bodies.UploadBody:
    return bodies.UploadBody(
        upload_id=sent.row.pk,
        file_id=sent.file.pk,
        filename=sent.file.name,
        content_type=sent.file.media_type,
        size_bytes=sent.file.size,
        sha256=sent.file.sha256,
        purpose=cast("bodies.UploadPurpose", sent.row.purpose),
        download_path=f"/api/files/{sent.file.pk}/content",
        indexing_task_id=None,
        created_at=sent.row.created_at,
    )
