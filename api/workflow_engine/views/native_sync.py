"""`/native/sync` and `/native/api/data`: copies of records for clients that work offline, and what they changed (003)."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import orjson
from django.utils import timezone

from accounts.errors import NotAuthenticated
from api import fields
from api.base import Answer, Call, operation
from api.needs import SIGNED_IN
from api.workflow_engine.bodies import native_sync as bodies
from api.workflow_engine.dialect import WORKFLOW_ENGINE, WorkflowEngineView
from api.workflow_engine.pages import cut_endless, paged
from auterity.kernel.access import Scope
from auterity.kernel.errors import DomainError, InvalidInput, PermissionDenied
from devices.errors import DeviceNotFound
from native import cursors, services
from native.collections import COLLECTIONS, Collection
from native.cursors import Place
from native.errors import CursorExpired, UnknownCollection

_EARLIEST = dt.datetime(1971, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


class SyncView(WorkflowEngineView):
    @operation(
        id="native_sync",
        needs=(SIGNED_IN, Scope.DATA_READ),
        summary="Synchronize a client that worked offline",
        body=bodies.NativeSyncRequest,
        answers={200: bodies.NativeSyncBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, UnknownCollection, CursorExpired, DeviceNotFound],
    )
    def post(self, call: Call[bodies.NativeSyncRequest]) -> Answer:
        """Stores the changes, each by itself and once for each `client_change_id`; then tells what changed after each cursor.

        An update with an old `base_version` is merged field by field. A field that both sides changed to different values is a
        conflict, told with both. What is stored of workflows is a draft: publishing is asked for elsewhere. With a narrow token
        changes need the scope data.write; without it each is rejected.
        """
        asked = call.body
        changes = [
            services.Change(each.client_change_id, each.collection, each.op, each.id, each.base_version, each.data)
            for each in asked.changes
        ]
        done = services.exchange(
            actor=call.actor,
            given=asked.cursors,
            changes=changes,
            limit=asked.limit,
            policy=services.Policy(asked.conflict_policy),
            device_id=asked.device_id,
        )
        return Answer(_exchanged(done))


class DataView(WorkflowEngineView):
    @operation(
        id="native_api_data",
        needs=(SIGNED_IN, Scope.DATA_READ),
        summary="Read records for list screens",
        query=bodies.DataQuery,
        answers={200: list[bodies.DataRecord]},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, UnknownCollection],
        whole=True,
    )
    def get(self, call: Call[None]) -> Answer:
        """The newest first, with the same visibility as everywhere else. The ETag is of the records: 304 while they are the same.

        `meta.cursor` of the first page starts `/native/sync` from here.
        """
        query, now = call.query, timezone.now()
        collection = COLLECTIONS.listed(query.collection)
        names = fields.chosen(query.fields, collection.attributes)
        rows = (
            collection.rows(call.actor) if query.since is None else collection.since(call.actor, _usable(query.since))
        )
        if query.ids is not None:
            rows = rows.filter(id__in=query.ids)
        meta = bodies.DataMeta(
            collection=collection.name,
            cursor=cursors.written(call.actor, collection.stream, Place.at(now - collection.lag)),
            server_time=now,
            total_exact=True,
        ).model_dump(mode="json")
        if collection.endless:
            found, page, meta["total_exact"] = cut_endless(rows, query)
            answer = Answer(_records(collection, found, names), beside={"pagination": page, "meta": meta})
        else:
            answer = paged(rows, query, lambda row: _records(collection, [row], names)[0], meta=meta)
        shown = orjson.dumps([answer.body, (answer.beside or {})["pagination"]])
        return Answer(
            answer.body, headers={"ETag": f'"{hashlib.sha256(shown).hexdigest()[:32]}"'}, beside=answer.beside
        )


def _usable(moment: dt.datetime) -> dt.datetime:
    """Moments that databases can reckon with; nothing of ours lies outside."""
    return min(max(moment, _EARLIEST), _LATEST)


def _records(collection: Collection, rows: list[Any], names: list[str] | None) -> list[dict[str, Any]]:
    return [
        bodies.DataRecord(
            id=row.id,
            collection=collection.name,
            version=collection.version(row),
            updated_at=collection.moment(row),
            attributes=attributes,
        ).model_dump(mode="json")
        for row, attributes in zip(rows, collection.listing(rows, names), strict=True)
    ]


def _exchanged(done: services.Exchange) -> bodies.NativeSyncBody:
    return bodies.NativeSyncBody(
        applied=[
            bodies.SyncApplied(
                client_change_id=each.change_id,
                id=each.row_id,
                version=each.version,
                status="already_applied" if each.repeated else "applied",
            )
            for each in done.applied
        ],
        conflicts=[
            bodies.SyncConflict.model_validate(
                {
                    "client_change_id": each.change_id,
                    "id": each.row_id,
                    "reason": each.reason,
                    "server_version": each.server_version,
                    "server_data": each.server_data,
                    "client_data": each.client_data,
                    "fields": each.fields,
                    "resolution": each.resolution,
                }
            )
            for each in done.conflicts
        ],
        rejected=[
            bodies.SyncRejected(
                client_change_id=each.change_id,
                code=WORKFLOW_ENGINE.wording(each.error).code,
                message=_sentence(each.error),
            )
            for each in done.rejected
        ],
        changes=[
            bodies.SyncTold(
                collection=each.collection,
                id=each.row_id,
                op="delete" if each.deleted else "upsert",
                version=each.version,
                data=each.data,
                changed_at=each.moment,
            )
            for each in done.told
        ],
        cursors=done.cursors,
        has_more=done.more,
        server_time=done.now,
    )


def _sentence(error: DomainError) -> str:
    """What is wrong, and with which field."""
    if not isinstance(error, InvalidInput) or not error.problems:
        return error.message
    return " ".join(f"{each.field}: {each.message}" for each in error.problems[:5])
