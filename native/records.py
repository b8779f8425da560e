"""The collections that clients only read: what the product keeps, as lists show it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from artefacts import selectors as artefacts
from artefacts.models import Artefact
from auterity.kernel.access import Actor
from auterity.kernel.models import first_id_of
from executions import selectors as executions
from executions.models import Execution
from native.collections import LAG, Collection
from notifications import selectors as notifications
from notifications.models import UserNotification
from notifications.services import TOGETHER
from templates_app import selectors as templates
from templates_app.models import WorkflowTemplate
from workflows import selectors as workflows
from workflows.models import Workflow
from workflows.moments import written

CLOCKS_APART = dt.timedelta(minutes=10)  # how far the clock that makes ids may be from the database's


class Workflows(Collection):
    """`version` is the revision: it rises with every change, as a draft's `base_version` wants it."""

    name = stream = "workflows"

    def rows(self, actor: Actor) -> QuerySet[Any]:
        return workflows.list_workflows(actor=actor)

    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        return workflows.changed_workflows(actor=actor).filter(updated_at__gte=since)

    def version(self, row: Workflow) -> int:
        return row.revision + self.is_deleted(row)

    def is_deleted(self, row: Workflow) -> bool:
        return row.deleted_at is not None

    attributes = {
        "name": lambda each: each.name,
        "description": lambda each: each.description,
        "category": lambda each: each.category,
        "is_active": lambda each: each.is_active,
        "version": lambda each: each.version,
        "revision": lambda each: each.revision,
        "published_version": lambda each: each.published_version,
        "has_draft": lambda each: each.has_draft,
        "template_id": lambda each: _text(each.template_id),
        "created_by": lambda each: _text(each.created_by_id),
        "created_at": lambda each: written(each.created_at),
        "updated_at": lambda each: written(each.updated_at),
    }


class Templates(Collection):
    name = stream = "templates"

    def rows(self, actor: Actor) -> QuerySet[Any]:
        return templates.list_templates(actor=actor, sort="newest")

    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        return templates.counted(templates.changed_templates(actor=actor).filter(updated_at__gte=since))

    def version(self, row: WorkflowTemplate) -> int:
        return row.version

    def is_deleted(self, row: WorkflowTemplate) -> bool:
        return row.deleted_at is not None

    attributes = {
        "name": lambda each: each.name,
        "description": lambda each: each.description,
        "category": lambda each: each.category,
        "tags": lambda each: each.tags,
        "is_public": lambda each: each.is_public,
        "is_active": lambda each: each.is_active,
        "version": lambda each: each.version,
        "parameter_count": lambda each: each.parameter_count,
        "review_count": lambda each: each.review_count,
        "rating": lambda each: each.rating,
        "usage_count": lambda each: each.usage_count,
        "created_at": lambda each: written(each.created_at),
        "updated_at": lambda each: written(each.updated_at),
    }


class Executions(Collection):
    """`version` is the number of the newest line of its log."""

    name = stream = "executions"
    endless = True
    moment_field = "moment"

    def rows(self, actor: Actor) -> QuerySet[Any]:
        return executions.all_executions(actor=actor).select_related("workflow")

    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        return executions.changed_executions(actor=actor, since=since).select_related("workflow")

    def since(self, actor: Actor, moment: dt.datetime) -> QuerySet[Any]:
        return self.changed(actor, moment).order_by("-id")

    def moment(self, row: Execution) -> dt.datetime:
        return max(each for each in (row.created_at, row.started_at, row.completed_at) if each is not None)

    def version(self, row: Execution) -> int:
        return row.seq

    attributes = {
        "workflow_id": lambda each: str(each.workflow_id),
        "workflow_name": lambda each: each.workflow.name,
        "status": lambda each: each.status,
        "progress": lambda each: each.progress,
        "origin": lambda each: each.origin,
        "error_code": lambda each: each.error_code or None,
        "error_message": lambda each: each.error_message or None,
        "created_by": lambda each: _text(each.created_by_id),
        "created_at": lambda each: written(each.created_at),
        "started_at": lambda each: _moment(each.started_at),
        "completed_at": lambda each: _moment(each.completed_at),
    }


class Notifications(Collection):
    """The person's own. `version` rises as one is counted on, and as it is read."""

    name = stream = "notifications"
    moment_field = "moment"
    lag = TOGETHER + LAG

    def rows(self, actor: Actor) -> QuerySet[Any]:
        return notifications.inbox(actor).order_by("-id")

    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        return notifications.changed(actor)

    def since(self, actor: Actor, moment: dt.datetime) -> QuerySet[Any]:
        """One that was made shortly before may have been counted on since."""
        return self.rows(actor).filter(Q(created_at__gte=moment - TOGETHER) | Q(read_at__gte=moment))

    def moment(self, row: UserNotification) -> dt.datetime:
        return max(row.created_at, row.read_at or row.created_at)

    def version(self, row: UserNotification) -> int:
        return 2 * row.count + (row.read_at is not None)

    attributes = {
        "seq": lambda each: each.seq,
        "category": lambda each: each.category,
        "severity": lambda each: each.severity,
        "title": lambda each: each.title,
        "message": lambda each: each.message,
        "link": lambda each: each.link or None,
        "data": lambda each: each.data,
        "count": lambda each: each.count,
        "read": lambda each: each.read_at is not None,
        "read_at": lambda each: _moment(each.read_at),
        "created_at": lambda each: written(each.created_at),
    }


class Files(Collection):
    """What people uploaded and steps made. A deleted one is not told of."""

    name = stream = "files"
    moment_field = "created_at"

    def rows(self, actor: Actor) -> QuerySet[Any]:
        return artefacts.artefacts(actor=actor)

    def changed(self, actor: Actor, since: dt.datetime) -> QuerySet[Any]:
        return self.rows(actor).filter(id__gte=first_id_of(since - CLOCKS_APART)).order_by()

    def since(self, actor: Actor, moment: dt.datetime) -> QuerySet[Any]:
        return self.rows(actor).filter(id__gte=first_id_of(moment - CLOCKS_APART), created_at__gte=moment)

    def version(self, row: Artefact) -> int:
        return 1

    attributes = {
        "filename": lambda each: each.name,
        "content_type": lambda each: each.media_type,
        "size_bytes": lambda each: each.size,
        "sha256": lambda each: each.sha256,
        "purpose": lambda each: each.purpose,
        "execution_id": lambda each: _text(each.execution_id),
        "created_by": lambda each: _text(each.created_by_id),
        "created_at": lambda each: written(each.created_at),
        "expires_at": lambda each: _moment(each.expires_at),
        "download_path": lambda each: f"/api/files/{each.id}/content",
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _moment(value: dt.datetime | None) -> str | None:
    return None if value is None else written(value)
