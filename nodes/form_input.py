"""`form-input`: values that people give, checked before anything is done with them (`schemas/node_configs.yaml`)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import Field

from engine.node import Done, Failed, NodeConfig, Outcome, Step, node
from engine.samples import of_schema
from engine.waiting import Person, Question, Reason, Wait, Wake
from nodes.settings.checks import Problems
from nodes.settings.form_fields import FormField, Invalid, collect, matches
from nodes.settings.text import Text


class Config(NodeConfig):
    title: Text = Field(default="", description="The form's heading.")
    description: Text = Field(default="", description="What people read before they fill it in.")
    fields: list[FormField] = Field(
        default=[], description="What is asked. Without fields every input is accepted as it is."
    )
    who: Literal["public", "members"] | list[str] = Field(
        default="members", description="Who may fill it in: anybody, members of the organization, or these addresses."
    )
    expires_in_seconds: int | None = Field(default=None, ge=1, description="How long a form in mid-run is waited for.")


def check(config: Config) -> Problems:
    problems: Problems = []
    for name, times in Counter(field.name for field in config.fields).items():
        if times > 1:
            problems.append(("fields", f"The name '{name}' is used by {times} fields; names must differ."))
    for at, field in enumerate(config.fields):
        problems.extend((f"fields[{at}].{where}", sentence) for where, sentence in _field_problems(field))
    return problems


def _field_problems(field: FormField) -> Problems:
    problems: Problems = []
    if field.type in ("select", "multiselect") and not field.options:
        problems.append(("options", f"A {field.type} needs options to choose from."))
    for rule in field.validation:
        if rule.rule not in ("required", "email") and rule.value is None:
            problems.append(("validation", f"The rule '{rule.rule}' needs a value."))
        elif rule.rule == "pattern":
            try:
                matches(str(rule.value), "")
            except Invalid as problem:
                problems.append(("validation", f"The field {problem}"))
    return problems


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    if wake.answers:
        values, errors = collect(config.fields, wake.answers[-1].data)
        return Failed("rejected", " ".join(errors.values()), {"fields": errors}) if errors else Done(values)
    if wake.expired:
        return Failed("timeout", f"Nobody filled in the form within {config.expires_in_seconds:,} seconds.")
    return Wait(Reason.FORM, wake.left)


def sample(config: Config) -> dict[str, Any]:
    """As if somebody had filled it in: the default of each field, else a value of its type."""
    return {field.name: _filled_in(field) if field.default is None else field.default for field in config.fields}


def _filled_in(field: FormField) -> Any:
    if field.type in ("select", "multiselect"):
        first = [each.value for each in field.options[:1]]
        return first if field.type == "multiselect" else next(iter(first), None)
    if field.type == "file":
        return of_schema({"type": "string", "format": "uuid"})
    as_schema = {"email": "string", "date": "string", "number": "number", "boolean": "boolean"}
    return of_schema({"type": as_schema.get(field.type, "string"), "format": field.type})


@node("form-input", title="Form", config=Config, trigger=True, check=check, resume=resume, sample=sample)
def run(config: Config, step: Step) -> Outcome:
    """Checks the values given at the start against its fields; in mid-run, waits until somebody fills it in."""
    if not step.first:
        return Wait(Reason.FORM, config.expires_in_seconds, question=_question(config))
    if not config.fields:
        return Done(dict(step.inputs))
    values, errors = collect(config.fields, step.inputs)
    if errors:
        return Failed("rejected", " ".join(errors.values()), {"fields": errors})
    return Done(values)


def _question(config: Config) -> Question:
    named = config.who if isinstance(config.who, list) else []
    return Question(
        title=config.title,
        message=config.description,
        people=[Person(email) for email in named],
        roles=("member", "manager", "admin") if config.who == "members" else (),
        public=config.who == "public",
        fields=[field.model_dump(mode="json") for field in config.fields],
    )
