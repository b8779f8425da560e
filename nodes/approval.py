"""`approval`: people decide whether the run goes on (`schemas/node_configs.yaml`).

`required` of those who are asked must approve; one rejection decides. They answer in the product, through the API, or on a page
whose link they are mailed. Opening a link decides nothing, so a mail scanner that follows links decides nothing either.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Literal

from pydantic import Field

from engine.house_ports import Asked
from engine.node import Done, Effect, Failed, NodeConfig, Outcome, Step, node
from engine.ports import Mail, PortFailure
from engine.waiting import Answer, Person, Question, Reason, Wait, Wake
from nodes.settings.checks import Problems
from nodes.settings.form_fields import EMAIL, FormField
from nodes.settings.text import Text

APPROVED, REJECTED, EXPIRED = "approved", "rejected", "expired"
ROLES = ("viewer", "member", "manager", "admin")
BY_DEFAULT = ("manager", "admin")
MAILED = 50  # people who are written to at most


class Config(NodeConfig):
    title: Text = Field(default="", description="What is to be decided, in a few words.")
    message: Text = Field(default="", description="What people need to know to decide.")
    assignees: list[Text] = Field(
        default=[],
        max_length=100,
        description="E-mail addresses or roles; without any, managers and admins may decide.",
    )
    required: int = Field(default=1, ge=1, le=100, description="How many must approve. One rejection decides.")
    allow_author: bool = Field(default=False, description="Whether who started the run may decide.")
    expires_in_seconds: int | None = Field(
        default=None, ge=1, le=366 * 86_400, description="How long it is waited for."
    )
    on_expiry: Literal["reject", "approve", "escalate"] | None = Field(
        default=None, description="What no decision in time means; without it the step leaves by the port expired."
    )
    escalate_to: list[Text] = Field(
        default=[], max_length=100, description="Who is asked next, for the same time again."
    )
    fields: list[FormField] = Field(default=[], description="What who decides is asked besides.")
    notify: bool = Field(default=True, description="Whether those who are asked are written to by e-mail.")


def check(config: Config) -> Problems:
    problems: Problems = []
    for name in ("assignees", "escalate_to"):
        for at, each in enumerate(getattr(config, name)):
            if "{{" not in each and each not in ROLES and EMAIL.fullmatch(each) is None:
                problems.append(
                    (f"{name}[{at}]", f"'{each}' is neither an e-mail address nor a role ({', '.join(ROLES)}).")
                )
    if config.on_expiry == "escalate" and not config.escalate_to:
        problems.append(("escalate_to", "Say who is asked when nobody decided in time."))
    if config.on_expiry and config.expires_in_seconds is None:
        problems.append(("expires_in_seconds", f"Say after how many seconds on_expiry ({config.on_expiry}) applies."))
    named = [each for each in config.assignees if each not in ROLES]
    if (
        named
        and len(named) == len(config.assignees)
        and "{{" not in "".join(named)
        and config.required > len(set(named))
    ):
        problems.append(("required", f"{config.required} must approve, but only {len(set(named))} are asked."))
    return problems


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    by = [*wake.state.get("by", []), *map(_vote, wake.answers)]
    if any(vote["decision"] == REJECTED for vote in by):
        return _decided(REJECTED, by, wake)
    if sum(vote["decision"] == APPROVED for vote in by) >= config.required:
        return _decided(APPROVED, by, wake)
    if not wake.expired:
        return Wait(Reason.APPROVAL, wake.left, wake.state)
    if config.on_expiry == "escalate" and not wake.state.get("escalated"):
        step.log("warning", f"Nobody decided in time; {', '.join(config.escalate_to)} are asked now.")
        return _ask(config, step, config.escalate_to, {"escalated": True, "by": by})
    if config.on_expiry in ("approve", "reject"):
        return _decided(APPROVED if config.on_expiry == "approve" else REJECTED, by, wake)
    return _decided(EXPIRED, by, wake)


def sample(config: Config) -> Done:
    """As if everybody who must approve had done so."""
    voter = {
        "decision": APPROVED,
        "user_id": None,
        "email": "sample@example.com",
        "at": "2026-01-01T09:00:00Z",
        "comment": "",
    }
    fields = {field.name: field.default for field in config.fields}
    by = [voter] * config.required
    return Done({"decision": APPROVED, "by": by, "fields": fields, "waited_seconds": 0.0}, port=APPROVED)


@node(
    "approval",
    title="Approval",
    config=Config,
    effect=Effect.REPEATABLE,
    outputs=(APPROVED, REJECTED, EXPIRED),
    check=check,
    resume=resume,
    sample=sample,
)
def run(config: Config, step: Step) -> Outcome:
    """Asks people to approve or reject, and waits for what they decide."""
    return _ask(config, step, config.assignees or BY_DEFAULT, {})


def _ask(config: Config, step: Step, whom: Sequence[str], state: dict[str, Any]) -> Outcome:
    asked = step.ports.people.resolve(whom)
    if not asked.roles and len(asked.people) < config.required:
        return Failed("config", f"{config.required} must approve, but only {len(asked.people)} are asked.")
    if config.notify and tuple(whom) != BY_DEFAULT:
        _write_to(config, step, asked)
    question = Question(
        title=config.title,
        message=config.message,
        people=asked.people,
        roles=asked.roles,
        fields=[field.model_dump(mode="json") for field in config.fields],
        not_author=not config.allow_author,
    )
    return Wait(Reason.APPROVAL, config.expires_in_seconds, state, question)


def _write_to(config: Config, step: Step, asked: Asked) -> None:
    """Those who are asked, by e-mail. One that cannot be sent holds nothing up: people see the question in the product too."""
    known = {person.email.lower(): person for person in (*asked.people, *asked.holders)}
    for person in list(known.values())[:MAILED]:
        try:
            step.ports.email.send(_mail(config, step, person), timeout=step.timeout)
        except PortFailure as error:
            step.log("warning", f"{person.email} could not be written to: {error.message}")


def _mail(config: Config, step: Step, person: Person) -> Mail:
    title = " ".join((config.title or "A decision is waiting for you").split())
    link = step.ports.people.link(step.key, person)
    text = f"{config.message}\n\nDecide here: {link}\n" if config.message else f"Decide here: {link}\n"
    return Mail(
        key=f"{step.key}/{person.email}",
        to=[person.email],
        subject=title[:200],
        text=text,
        html=f'<p>{escape(config.message)}</p><p><a href="{escape(link)}">Decide</a></p>',
    )


def _vote(answer: Answer) -> dict[str, Any]:
    return {
        "decision": APPROVED if answer.data.get("decision") == "approve" else REJECTED,
        "user_id": answer.user_id or None,
        "email": answer.email or None,
        "at": answer.at,
        "comment": str(answer.data.get("comment") or ""),
        "fields": answer.data.get("fields") or {},
    }


def _decided(decision: str, by: list[dict[str, Any]], wake: Wake) -> Done:
    fields = {name: value for vote in by for name, value in vote["fields"].items()}
    voters = [{name: value for name, value in vote.items() if name != "fields"} for vote in by]
    return Done(
        {"decision": decision, "by": voters, "fields": fields, "waited_seconds": round(wake.waited, 3)}, port=decision
    )
