"""What people say about a workflow while they make it: on the whole, on a node, or in answer to each other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts import selectors as accounts
from auterity.kernel.access import Actor, Permission, require
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.events import publish
from auterity.kernel.live import LIVE
from workflows import selectors
from workflows.drafts import state_of
from workflows.errors import CommentNotFound
from workflows.events import CommentChanged, CommentMentioned
from workflows.live import room_of
from workflows.models import Workflow, WorkflowComment
from workflows.moments import written

MAX_BODY = 5000  # characters
MAX_MENTIONS = 20
_EXCERPT = 200  # characters of a comment that a notice shows


def list_comments(
    *, actor: Actor, workflow_id: UUID, node_id: str | None = None, resolved: bool | None = None
) -> QuerySet[WorkflowComment]:
    """In the order they were written, lazily. A deleted one is there, without its text, while others answer it."""
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    standing = Count("replies", filter=Q(replies__deleted_at=None))
    found = WorkflowComment.objects.of(actor).filter(workflow=workflow).annotate(answers=standing)
    found = found.filter(Q(deleted_at=None) | Q(answers__gt=0))
    if node_id is not None:
        found = found.filter(Q(node_id=node_id) | Q(parent__node_id=node_id))
    if resolved is not None:
        own, threads = Q(parent=None, resolved_at__isnull=not resolved), Q(parent__resolved_at__isnull=not resolved)
        found = found.filter(own | (Q(parent__isnull=False) & threads))
    return found.select_related("created_by", "resolved_by").order_by("id")


def get_comment(*, actor: Actor, workflow_id: UUID, comment_id: UUID) -> WorkflowComment:
    """Raises `WorkflowNotFound` or `CommentNotFound`; a deleted one is not found."""
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    rows = WorkflowComment.objects.of(actor).filter(workflow=workflow, deleted_at=None)
    found = rows.select_related("created_by", "resolved_by", "workflow").filter(id=comment_id).first()
    if found is None:
        raise CommentNotFound
    return found


@transaction.atomic
def add_comment(
    *,
    actor: Actor,
    workflow_id: UUID,
    body: str,
    node_id: str = "",
    parent_id: UUID | None = None,
    mentions: Collection[UUID] = (),
) -> WorkflowComment:
    """Say something about a workflow or a node of it, or answer a comment; an answer to an answer joins the same thread.

    Raises `InvalidInput` for a node that is not there and for whoever is mentioned and is no active member.
    """
    require(actor, Permission.WORKFLOW_UPDATE)
    workflow = selectors.get_workflow(actor=actor, workflow_id=workflow_id)
    named = _mentioned(actor, mentions)
    if parent_id is not None:
        parent = get_comment(actor=actor, workflow_id=workflow_id, comment_id=parent_id)
        parent_id, node_id = parent.parent_id or parent.id, parent.node_id
    elif node_id and node_id not in state_of(workflow).nodes:
        raise InvalidInput.of("node_id", "There is no such node in this workflow.")
    comment = WorkflowComment(
        organization_id=actor.organization_id,
        workflow=workflow,
        node_id=node_id,
        parent_id=parent_id,
        body=_text(body),
        mentions=[str(each) for each in named],
        created_by_id=actor.user_id,
        created_at=timezone.now(),
    )
    comment.save(force_insert=True)
    return _told(actor, comment, "added", named)


@transaction.atomic
def edit_comment(
    *,
    actor: Actor,
    workflow_id: UUID,
    comment_id: UUID,
    body: str | None = None,
    mentions: Collection[UUID] | None = None,
) -> WorkflowComment:
    """Change one's own comment or its mentions. Who was named before is not told again. Raises `PermissionDenied`."""
    comment = _own(actor, workflow_id, comment_id)
    before = set(comment.mentions)
    named = _mentioned(actor, mentions) if mentions is not None else [UUID(each) for each in comment.mentions]
    comment.body = comment.body if body is None else _text(body)
    comment.mentions, comment.edited_at = [str(each) for each in named], timezone.now()
    comment.save()
    return _told(actor, comment, "updated", [each for each in named if str(each) not in before])


@transaction.atomic
def resolve_comment(*, actor: Actor, workflow_id: UUID, comment_id: UUID, resolved: bool = True) -> WorkflowComment:
    """Say that a thread is settled, or open it again. Whoever may edit the workflow may."""
    require(actor, Permission.WORKFLOW_UPDATE)
    comment = get_comment(actor=actor, workflow_id=workflow_id, comment_id=comment_id)
    if comment.parent_id is not None:
        raise InvalidInput.of("comment_id", "A thread is resolved at its first comment.")
    if (comment.resolved_at is not None) == resolved:
        return comment
    comment.resolved_at = timezone.now() if resolved else None
    comment.resolved_by_id = actor.user_id if resolved else None
    comment.save()
    return _told(actor, comment, "updated", [])


@transaction.atomic
def delete_comment(*, actor: Actor, workflow_id: UUID, comment_id: UUID) -> None:
    """Take back one's own comment. Raises `PermissionDenied` for somebody else's."""
    comment = _own(actor, workflow_id, comment_id)
    comment.body, comment.mentions, comment.deleted_at = "", [], timezone.now()
    comment.save()
    _told(actor, comment, "deleted", [])


def shown(comment: WorkflowComment) -> dict[str, Any]:
    """A comment as lists and frames show it."""
    return {
        "id": str(comment.id),
        "workflow_id": str(comment.workflow_id),
        "node_id": comment.node_id or None,
        "parent_id": str(comment.parent_id) if comment.parent_id else None,
        "body": comment.body,
        "mentions": comment.mentions,
        "created_by": _person(comment.created_by),
        "created_at": written(comment.created_at),
        "edited_at": written(comment.edited_at) if comment.edited_at else None,
        "resolved": comment.resolved_at is not None,
        "resolved_at": written(comment.resolved_at) if comment.resolved_at else None,
        "resolved_by": _person(comment.resolved_by) if comment.resolved_by else None,
        "deleted": comment.deleted_at is not None,
    }


def on_comment(event: CommentChanged) -> None:
    """Tell whoever has the workflow open."""
    rows = WorkflowComment.objects.of(event.organization_id).select_related("created_by", "resolved_by")
    comment = shown(rows.get(id=event.comment_id))
    fact = {"kind": "comment", "change": event.change, "user_id": str(event.user_id), "comment": comment}
    LIVE.publish([(room_of(event.workflow_id), fact)])


# -- inside ----------------------------------------------------------------------------------------------------------


def _own(actor: Actor, workflow_id: UUID, comment_id: UUID) -> WorkflowComment:
    require(actor, Permission.WORKFLOW_UPDATE)
    comment = get_comment(actor=actor, workflow_id=workflow_id, comment_id=comment_id)
    if comment.created_by_id != actor.user_id:
        raise PermissionDenied("Only who wrote a comment may change or delete it.")
    return comment


def _told(actor: Actor, comment: WorkflowComment, change: str, named: list[UUID]) -> WorkflowComment:
    workflow: Workflow = comment.workflow
    about = (comment.organization_id, comment.workflow_id)
    publish(CommentChanged(*about, comment.id, change, actor.user_id))
    told = tuple(each for each in named if each != actor.user_id)
    if told:
        by = comment.created_by
        name = f"{by.first_name} {by.last_name}".strip()
        excerpt = comment.body[:_EXCERPT]
        publish(CommentMentioned(*about, workflow.name, comment.id, comment.node_id, by.id, name, told, excerpt))
    return comment


def _mentioned(actor: Actor, user_ids: Collection[UUID]) -> list[UUID]:
    wanted = list(dict.fromkeys(user_ids))
    if len(wanted) > MAX_MENTIONS:
        raise InvalidInput.of("mentions", f"A comment may mention {MAX_MENTIONS} people.")
    if not wanted:
        return []
    members = accounts.members(actor).filter(user_id__in=wanted, is_active=True, user__is_active=True)
    strangers = set(wanted) - set(members.values_list("user_id", flat=True))
    if strangers:
        raise InvalidInput.of("mentions", f"{min(map(str, strangers))} is no active member of this organization.")
    return wanted


def _person(user: Any) -> dict[str, str]:
    return {"user_id": str(user.id), "name": f"{user.first_name} {user.last_name}".strip()}


def _text(body: str) -> str:
    text = body.strip()
    if not 1 <= len(text) <= MAX_BODY or "\x00" in text:
        raise InvalidInput.of("body", f"A comment has 1 to {MAX_BODY:,} characters.")
    return text
