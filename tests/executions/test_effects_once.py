"""Whatever crashes, pauses and is run again in whatever order: an unkeyed effect takes place once at most, unless somebody said
that it had not."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auterity.kernel.access import Actor
from engine.node import Done, Effect, Outcome
from engine.ports import Unavailable, Unknown
from executions import again, effects, questions
from executions.errors import EffectsUnknown
from executions.models import LIVE, Execution, OpenQuestion
from executions.retry_plan import Mode, Wish
from tests.executions.support import fresh, registered, save, start, steps_of
from tests.executions.test_effects import Hands, flow

TURNS = st.sampled_from(["vanish before", "vanish after", "finish", "shelve"])
OUTCOMES = st.sampled_from(["done", "done in silence", "lost", "away"])
LOOKUPS = st.sampled_from(["none", "truthful", "away"])
RETRY = {"max_attempts": 3, "backoff_seconds": 0, "jitter": False}


class Outside:
    """The other side: what took effect there, and how it answers."""

    def __init__(self) -> None:
        self.took_effect: list[str] = []
        self.answers = "done"
        self.answers_about = "truthful"

    def perform(self, config: Any, step: Any) -> Outcome:
        if self.answers in ("done", "done in silence"):
            self.took_effect.append(step.key)
        if self.answers == "away":
            raise Unavailable("Away.")
        if self.answers != "done":
            raise Unknown("No answer came.")
        return Done("done")

    def look_up(self, config: Any, step: Any) -> Outcome | None:
        if self.answers_about == "truthful":
            return Done("found") if step.key in self.took_effect else None
        raise Unavailable("Away.")


class Story:
    """One piece of work through its executions. `denials` counts how often somebody said that nothing had happened."""

    def __init__(self, actor: Actor, outside: Outside, workflow: Any) -> None:
        self.actor, self.outside = actor, outside
        self.execution: Execution = start(actor, workflow)
        self.denials = 0

    def turn(self, kind: str, outcome: str, people_say: bool) -> None:
        self.outside.answers = outcome
        self.execution = fresh(self.execution)
        if self.execution.status not in LIVE:
            self._again(people_say)
            return
        asked = OpenQuestion.unscoped.filter(execution=self.execution, closed_at=None).first()
        if asked is not None and not asked.answers.exists():
            questions.answer(actor=self.actor, question_id=asked.id, given={"happened": people_say})
            self.denials += not people_say
        hands = Hands(self.execution)
        job = hands.begin()
        if job is None or kind == "vanish before":
            return
        if kind == "shelve":
            hands.shelve(job)
            return
        outcome_of = job.perform()
        if kind == "finish":
            hands.active.finish(job, outcome_of)
            hands.commit()

    def _again(self, people_say: bool) -> None:
        if self.execution.status == "completed":
            return
        wish = Wish(Mode.FAILED)
        try:
            self.execution = again.retry(actor=self.actor, execution_id=self.execution.id, wish=wish)
        except EffectsUnknown as refused:
            for each in refused.details["effects"]:
                effects.settle(actor=self.actor, effect_id=each["id"], happened=people_say)
                self.denials += not people_say


@given(
    turns=st.lists(st.tuples(TURNS, OUTCOMES, st.booleans()), min_size=1, max_size=9),
    lookup=LOOKUPS,
    on_unknown=st.sampled_from(["fail", "ask"]),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_unkeyed_effect_takes_place_once_at_most(
    actor: Actor, turns: list[tuple[str, str, bool]], lookup: str, on_unknown: str
) -> None:
    outside = Outside()
    outside.answers_about = lookup
    look = None if lookup == "none" else outside.look_up
    with registered("send", outside.perform, effect=Effect.UNKEYED, lookup=look):
        node = ("send", {"on_unknown": on_unknown, "retry": RETRY})
        story = Story(actor, outside, save(actor, flow({"a": node})))
        for turn in turns:
            story.turn(*turn)
        assert len(outside.took_effect) <= 1 + story.denials
        told = {row.effect for row in steps_of(story.execution).values()}
        if story.denials == 0 and "confirmed" in told:
            assert len(outside.took_effect) == 1
        if "not_done" in told:
            assert story.denials or not outside.took_effect
        # So that the next story claims its own execution and no other.
        Execution.unscoped.filter(status__in=LIVE).update(status="cancelled", due_at=None)
