"""`/api/workflows/{id}/operations` and `…/comments`: who did what to a workflow, and what they say about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import collaboration as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from workflows import comments, selectors
from workflows.errors import CommentNotFound, WorkflowNotFound
from workflows.live import shown_edit
from workflows.merge import EDITS
from workflows.models import WorkflowComment, WorkflowOperation

READING = (NotAuthenticated, PermissionDenied, WorkflowNotFound)
COMMENTING = (*READING, CommentNotFound, InvalidInput)


class OperationsView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_operation_list",
        summary="A workflow's history",
        query=bodies.OperationQuery,
        answers={200: bodies.OperationPage},
        raises=READING,
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """Every edit, save and publishing with who did it, newest first. Secrets are not shown."""
        rows = selectors.list_operations(
            actor=call.actor, workflow_id=workflow_id, user_id=call.query.user_id, node_id=call.query.node_id
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.OperationPage(operations=[_operation(each) for each in found], **page))


class CommentsView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_comment_list",
        summary="List a workflow's comments",
        query=bodies.CommentQuery,
        answers={200: bodies.CommentPage},
        raises=READING,
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """In the order they were written; answers carry their thread's `parent_id`."""
        rows = comments.list_comments(
            actor=call.actor, workflow_id=workflow_id, node_id=call.query.node_id, resolved=call.query.resolved
        )
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.CommentPage(comments=[_body(each) for each in found], **page))

    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_comment_create",
        summary="Comment on a workflow",
        body=bodies.CommentCreate,
        answers={201: bodies.CommentBody},
        raises=COMMENTING,
        creates=True,
    )
    def post(self, call: Call[bodies.CommentCreate], workflow_id: UUID) -> Answer:
        """On the whole, on a node, or in answer to another comment. Whoever is mentioned is told."""
        comment = comments.add_comment(
            actor=call.actor,
            workflow_id=workflow_id,
            body=call.body.body,
            node_id=call.body.node_id,
            parent_id=call.body.parent_id,
            mentions=call.body.mentions,
        )
        return Answer(_body(comment), 201)


class CommentView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_comment_update",
        summary="Change one's own comment",
        body=bodies.CommentUpdate,
        answers={200: bodies.CommentBody},
        raises=COMMENTING,
    )
    def patch(self, call: Call[bodies.CommentUpdate], workflow_id: UUID, comment_id: UUID) -> Answer:
        """Whoever was mentioned before is not told again."""
        comment = comments.edit_comment(
            actor=call.actor,
            workflow_id=workflow_id,
            comment_id=comment_id,
            body=call.body.body,
            mentions=call.body.mentions,
        )
        return Answer(_body(comment))

    put = patch

    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_comment_delete",
        summary="Delete one's own comment",
        answers={204: None},
        raises=COMMENTING,
    )
    def delete(self, call: Call[None], workflow_id: UUID, comment_id: UUID) -> Answer:
        """What others answered stays, under a comment without text."""
        comments.delete_comment(actor=call.actor, workflow_id=workflow_id, comment_id=comment_id)
        return Answer(None, 204)


class ResolveCommentView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_comment_resolve",
        summary="Settle a thread",
        answers={200: bodies.CommentBody},
        raises=COMMENTING,
    )
    def post(self, call: Call[None], workflow_id: UUID, comment_id: UUID) -> Answer:
        """Its first comment is marked; settling it twice changes nothing."""
        comment = comments.resolve_comment(actor=call.actor, workflow_id=workflow_id, comment_id=comment_id)
        return Answer(_body(comment))


class ReopenCommentView(AuterityView):
    @operation(
        needs=Permission.WORKFLOW_UPDATE,
        id="workflow_comment_reopen",
        summary="Open a settled thread again",
        answers={200: bodies.CommentBody},
        raises=COMMENTING,
    )
    def post(self, call: Call[None], workflow_id: UUID, comment_id: UUID) -> Answer:
        """Opening an open one changes nothing."""
        comment = comments.resolve_comment(
            actor=call.actor, workflow_id=workflow_id, comment_id=comment_id, resolved=False
        )
        return Answer(_body(comment))


def _body(comment: WorkflowComment) -> bodies.CommentBody:
    return bodies.CommentBody.model_validate(comments.shown(comment))


def _operation(row: WorkflowOperation) -> bodies.OperationBody:
    shown: dict[str, Any] = shown_edit(row) if row.operation in EDITS else row.data
    name = f"{row.user.first_name} {row.user.last_name}".strip()
    return bodies.OperationBody(
        revision=row.revision,
        version=row.version,
        operation=row.operation,
        data=shown,
        user=bodies.EditorBody(user_id=row.user_id, name=name),
        at=row.created_at,
        client_op_id=row.client_op_id,
        cause=row.cause,
        act=row.act,
        target=row.target,
    )
