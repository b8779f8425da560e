"""Actions of the operators' site that ask before they act, and what an operator says beside the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

SHOWN: Final = 20  # of the chosen rows by name

_ANSWER: Final = "confirmed"
_NOTE: Final = "note"

Act = Callable[..., Any]


class Question(TemplateResponse):
    """Nothing was done yet, so there is nothing for the trail either."""


def asks(warning: str, *, note: str = "") -> Callable[[Act], Act]:
    """A list's action that first shows what it will do, to which rows. `note` labels a text that goes along; see `note_of`."""

    def decorate(act: Act) -> Act:
        @wraps(act)
        def asked(page: Any, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
            if is_confirmed(request):
                return act(page, request, chosen)
            across = request.POST.get("select_across") == "1"
            keys = request.POST.getlist(ACTION_CHECKBOX_NAME)
            sent = [("action", act.__name__), ("select_across", "1" if across else "0")]
            return ask(
                page,
                request,
                title=str(getattr(asked, "short_description", "Are you sure?")),
                warning=warning,
                note=note,
                rows=chosen[:SHOWN],
                count=chosen.count() if across else len(keys),
                sent=[*sent, *((ACTION_CHECKBOX_NAME, each) for each in keys)],
            )

        return asked

    return decorate


def ask(
    page: Any,
    request: HttpRequest,
    *,
    title: str,
    warning: str,
    rows: Iterable[Any],
    count: int,
    note: str = "",
    sent: Iterable[tuple[str, str]] = (),
    back: str = "",
) -> Question:
    """A page that says what will happen to what; its button sends `sent` to the same address once more, confirmed.

    `back` is where "No" leads; this address when not given.
    """
    shown = [str(each) for each in rows]
    context: Mapping[str, Any] = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": title,
        "warning": warning,
        "note": note,
        "rows": shown,
        "more": count - len(shown),
        "sent": [*sent, (_ANSWER, "yes")],
        "back": back or request.get_full_path(),
    }
    return Question(request, "operators/ask.html", dict(context))


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the operator has seen the question and pressed its button."""
    return request.POST.get(_ANSWER) == "yes"


def note_of(request: HttpRequest) -> str:
    """What the operator wrote beside the answer."""
    return request.POST.get(_NOTE, "").replace("\x00", "").strip()[:2000]
