"""A step that goes on later: when a time has come, when somebody answers, or when the runs it started have ended.

No worker is held meanwhile. `run` returns a `Wait`; when there is something new, the node's `resume` is called with the same
configuration and a `Wake`, and returns `Done`, `Failed` or another `Wait`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """What a step waits for, as clients read it in `waiting_for`."""

    DELAY = "delay"
    APPROVAL = "approval"
    FORM = "form"
    EVENT = "event"
    RUNS = "runs"
    PACE = "pace"  # more AI calls a minute than one person may make
    SETTLE = "settle"  # nobody knows whether an effect took place, and a person shall say


ANSWERED = frozenset({Reason.APPROVAL, Reason.FORM, Reason.EVENT, Reason.SETTLE})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may answer. `user_id` is empty for an address that belongs to no member."""

    email: str
    user_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and who may answer it.

    `people` are those who were asked by name; `roles` are roles of the organization any holder of which may answer; `public`
    lets anybody answer who has the link. `fields` are form fields as the configuration gives them. `event` is the name of the
    event that is waited for. With `not_author`, who started the run may not answer.
    """

    title: str = ""
    message: str = ""
    people: Sequence[Person] = ()
    roles: Sequence[str] = ()
    public: bool = False
    fields: Sequence[Mapping[str, Any]] = ()
    event: str = ""
    not_author: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said. `key` tells repeats: who said it, or the event's id. `at` is RFC 3339."""

    key: str
    data: Mapping[str, Any]
    at: str
    user_id: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The step is not over. It is woken after `seconds` (None: never by itself), and whenever there is something new.

    `state` is JSON that comes back with the `Wake`. A `question` opens a new one in place of an open one; None leaves the open
    one as it is.
    """

    reason: Reason
    seconds: float | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Wake:
    """Why a step goes on. `answers` are all of the open question, oldest first. Seconds; `left` is None without a limit."""

    expired: bool
    answers: Sequence[Answer]
    state: Mapping[str, Any]
    waited: float
    left: float | None
