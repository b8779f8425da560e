"""What the lower floors tell, turned into notifications: who is told, in which words, and what counts as more of the same.

A listener runs right after the commit that made its fact true, in the thread that committed. So it asks few questions, groups
what came together, and leaves a storm to the counting of `notifications.services`.
"""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from accounts.events import QuotaNearlyUsed
from auterity.kernel.access import Permission, Role, roles_with
from auterity.kernel.events import listen
from engine.waiting import Reason
from executions.events import ExecutionsMoved, QuestionsAsked, WorkflowBraked, WorkflowBrakeReleased
from executions.everywhere import FAILED, failures_of
from executions.models import LogKind
from executions.people import or_higher
from executions.records import QuestionRow
from integrations.events import ConnectionBroken, WebhookGivenUp
from notifications.models import Category, Severity
from notifications.services import Notice, notify
from workflows.events import CommentMentioned
from workflows.models import Workflow

EXCERPT = 500  # characters of an error that a notification shows


def subscribe() -> None:
    """Called once, at start-up."""
    listen(ExecutionsMoved, on_moved)
    listen(QuestionsAsked, on_asked)
    listen(WorkflowBraked, on_braked)
    listen(WorkflowBrakeReleased, on_released)
    listen(WebhookGivenUp, on_webhook_given_up)
    listen(ConnectionBroken, on_connection_broken)
    listen(QuotaNearlyUsed, on_quota)
    listen(CommentMentioned, on_mentioned)


def on_moved(fact: ExecutionsMoved) -> None:
    """Failed runs, to whoever started them, else to the workflow's owner; one notification a workflow."""
    ended = [each.execution_id for each in fact.lines if each.kind == LogKind.ENDED and each.status in FAILED]
    if not ended:
        return
    together = defaultdict(list)
    for failure in failures_of(ended):
        together[failure.organization_id, failure.workflow_id, failure.owner_id].append(failure)
    for (organization_id, workflow_id, owner_id), failures in together.items():
        last = failures[-1]
        notify(
            organization_id=organization_id,
            user_ids=[owner_id],
            notice=Notice(
                Category.EXECUTION,
                Severity.ERROR,
                "Run failed",
                f"{last.workflow_name}: {last.message[:EXCERPT]}",
                f"/executions/{last.execution_id}",
                {"workflow_id": str(workflow_id), "execution_id": str(last.execution_id)},
                key=f"execution_failed:{workflow_id}",
                many="{count} runs failed",
                count=len(failures),
            ),
        )


ASKED = {
    Reason.APPROVAL.value: ("Your decision is needed", "{count} decisions are needed"),
    Reason.FORM.value: ("A form waits for you", "{count} forms wait for you"),
    Reason.SETTLE.value: ("Did this take effect?", "{count} effects are in doubt"),
}


def on_asked(fact: QuestionsAsked) -> None:
    """Questions, to the members who may answer them."""
    together: dict[tuple[UUID, UUID, str, tuple[str, ...], tuple[str, ...], UUID | None], list[QuestionRow]]
    together = defaultdict(list)
    for each in fact.questions:
        if each.reason in ASKED:
            people = tuple(sorted(one["user_id"] for one in each.people if one["user_id"]))
            author = fact.authors.get(each.execution_id) if each.not_author else None
            key = (each.organization_id, each.workflow_id, each.reason, people, tuple(each.roles), author)
            together[key].append(each)
    for (organization_id, workflow_id, reason, people, roles, author), questions in together.items():
        last = questions[-1]
        one, many = ASKED[reason]
        notify(
            organization_id=organization_id,
            user_ids=[UUID(each) for each in people],
            roles=[Role(each) for each in or_higher(roles)],
            except_for=author,
            notice=Notice(
                Category.EXECUTION,
                Severity.WARNING if reason == Reason.SETTLE.value else Severity.INFO,
                one,
                last.title or last.message[:EXCERPT],
                f"/questions/{last.id}",
                {
                    "workflow_id": str(workflow_id),
                    "execution_id": str(last.execution_id),
                    "question_id": str(last.id),
                    "reason": reason,
                },
                key=f"asked:{reason}:{workflow_id}",
                many=many,
                count=len(questions),
            ),
        )


def on_braked(fact: WorkflowBraked) -> None:
    """To the workflow's owner, and to whoever may switch it off."""
    _tell_owner(
        fact.organization_id,
        fact.workflow_id,
        Severity.ERROR,
        "Workflow stopped for a while",
        f"'{{name}}' is not started automatically until {fact.until:%Y-%m-%d %H:%M} UTC: {fact.message}",
        key=f"braked:{fact.workflow_id}",
        data={"reason": fact.reason, "until": fact.until.isoformat().replace("+00:00", "Z")},
    )


def on_released(fact: WorkflowBrakeReleased) -> None:
    why = "An operator released it." if fact.by else "The time was over."
    _tell_owner(
        fact.organization_id,
        fact.workflow_id,
        Severity.SUCCESS,
        "Workflow starts again",
        f"'{{name}}' is started automatically again. {why}",
        key=f"released:{fact.workflow_id}",
        data={},
    )


def on_webhook_given_up(fact: WebhookGivenUp) -> None:
    notify(
        organization_id=fact.organization_id,
        roles=roles_with(Permission.INTEGRATION_MANAGE),
        notice=Notice(
            Category.INTEGRATION,
            Severity.ERROR,
            "A webhook was given up",
            f"{fact.host} did not take a message after {fact.attempts} attempts: {fact.error[:EXCERPT]}",
            "/integrations/webhooks",
            {"delivery_id": str(fact.delivery_id), "host": fact.host},
            key=f"webhook:{fact.host[:100]}",
            many="{count} webhooks were given up",
        ),
    )


def on_connection_broken(fact: ConnectionBroken) -> None:
    notify(
        organization_id=fact.organization_id,
        roles=roles_with(Permission.INTEGRATION_MANAGE),
        notice=Notice(
            Category.INTEGRATION,
            Severity.ERROR,
            "A connection does not work",
            f"{fact.name}: {fact.message[:EXCERPT]}",
            f"/integrations/connections/{fact.connection_id}",
            {"connection_id": str(fact.connection_id)},
            key=f"connection:{fact.connection_id}",
            many="A connection did not work {count} times",
        ),
    )


def on_mentioned(fact: CommentMentioned) -> None:
    """To whom a comment names, who may follow it to its place in the workflow."""
    notify(
        organization_id=fact.organization_id,
        user_ids=fact.user_ids,
        notice=Notice(
            Category.MENTION,
            Severity.INFO,
            "You were mentioned",
            f"{fact.by_name} in '{fact.workflow_name}': {fact.excerpt}",
            f"/workflows/{fact.workflow_id}",
            {
                "workflow_id": str(fact.workflow_id),
                "comment_id": str(fact.comment_id),
                "node_id": fact.node_id,
                "by_user_id": str(fact.by_user_id),
            },
            key=f"mentioned:{fact.workflow_id}",
            many="You were mentioned {count} times",
        ),
    )


def on_quota(fact: QuotaNearlyUsed) -> None:
    """A limit that is nearly or wholly used, to whoever manages the organization."""
    over = fact.percent >= 100
    name = fact.counter.replace("_", " ")
    notify(
        organization_id=fact.organization_id,
        roles=roles_with(Permission.ORGANIZATION_MANAGE),
        notice=Notice(
            Category.QUOTA,
            Severity.ERROR if over else Severity.WARNING,
            "A limit is used up" if over else "A limit is nearly used up",
            f"{fact.percent} % of the {fact.period} limit of {name} are used: {fact.used:,} of {fact.limit:,}.",
            "/organization/usage",
            {
                "counter": fact.counter,
                "period": fact.period,
                "percent": fact.percent,
                "used": fact.used,
                "limit": fact.limit,
            },
            key=f"quota:{fact.counter}:{fact.period}:{fact.percent}",
        ),
    )


# -- inside ----------------------------------------------------------------------------------------------------------


def _tell_owner(
    organization_id: UUID,
    workflow_id: UUID,
    severity: Severity,
    title: str,
    message: str,
    *,
    key: str,
    data: dict[str, str],
) -> None:
    found = Workflow.objects.of(organization_id).filter(id=workflow_id).values_list("name", "created_by_id").first()
    if found is None:
        return
    name, owner_id = found
    notify(
        organization_id=organization_id,
        user_ids=[owner_id],
        roles=roles_with(Permission.ORGANIZATION_MANAGE),
        notice=Notice(
            Category.WORKFLOW,
            severity,
            title,
            message.replace("{name}", name),
            f"/workflows/{workflow_id}",
            {"workflow_id": str(workflow_id), **data},
            key=key,
        ),
    )
