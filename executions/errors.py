"""What can be refused about an execution."""

from __future__ import annotations

from auterity.kernel.errors import DomainError, Kind


class ExecutionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "execution_not_found"
    sentence = "There is no such execution."


class ExecutionEnded(DomainError):
    kind = Kind.CONFLICT
    slug = "execution_ended"
    sentence = "This execution has already ended."


class WebhookRefused(DomainError):
    """Whatever was wrong with the caller's proof: the answer does not say."""

    kind = Kind.UNAUTHENTICATED
    slug = "webhook_refused"
    sentence = "The call carries no valid proof of who sent it."


class LogNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "log_not_found"
    sentence = "There is no such log entry."


class QuestionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "question_not_found"
    sentence = "There is no such question, or it was not you who was asked."


class QuestionClosed(DomainError):
    """It was answered, ran out of time, or its execution ended."""

    kind = Kind.CONFLICT
    slug = "question_closed"
    sentence = "This question is no longer open."


class AlreadyAnswered(DomainError):
    kind = Kind.CONFLICT
    slug = "question_answered"
    sentence = "You have already answered this question."


class NotPaused(DomainError):
    kind = Kind.CONFLICT
    slug = "execution_not_paused"
    sentence = "This execution is not paused."


class ExecutionLive(DomainError):
    kind = Kind.CONFLICT
    slug = "execution_live"
    sentence = "This execution still runs. Until it has ended, or is cancelled, it can only be run again as a whole."


class RetryRefused(DomainError):
    """What is asked for makes no run, such as going on from a failure where nothing failed."""

    slug = "retry_refused"
    sentence = "This execution cannot be run again in this way."


class PlanStale(DomainError):
    """Details: `given` and `current`, two plan versions."""

    kind = Kind.CONFLICT
    slug = "plan_stale"
    sentence = "Something changed since the plan was made. Look at a fresh plan, then repeat your request."


class EffectsUnknown(DomainError):
    """Details: `effects`, each with its id, key and step."""

    kind = Kind.CONFLICT
    slug = "effects_unknown"
    sentence = "Nobody knows whether some of the steps that would run took effect. Settle their effects first."


class EffectNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "effect_not_found"
    sentence = "There is no such effect."


class EffectKnown(DomainError):
    """Details: `state`."""

    kind = Kind.CONFLICT
    slug = "effect_known"
    sentence = "It is already known what became of this effect."


class EffectUnderWay(DomainError):
    kind = Kind.CONFLICT
    slug = "effect_under_way"
    sentence = "The execution still runs and may yet learn what became of it. Settle it when it asks, or has ended."


class TooManyQueued(DomainError):
    """The organization has as many runs waiting to begin as it may have. `details["retry_after"]` is in seconds."""

    kind = Kind.LIMITED
    slug = "too_many_queued"
    sentence = "Too many runs of your organization wait to begin. Try again later."


class TooManyStarts(DomainError):
    kind = Kind.LIMITED
    slug = "too_many_starts"
    sentence = "Your organization started too many runs within a minute. Try again later."


class WorkflowBraked(DomainError):
    """A schedule, webhook or run wanted to start a workflow that is braked. `details["reason"]` says why."""

    kind = Kind.LIMITED
    slug = "workflow_braked"
    sentence = "This workflow's automatic starts are stopped for a while."


class QueueFull(DomainError):
    """So many runs wait to begin, of whatever organization, that no more are accepted."""

    kind = Kind.UNAVAILABLE
    slug = "queue_full"
    sentence = "The platform has more work waiting than it takes on. Try again later."
