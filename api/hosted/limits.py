"""How much one address may ask of the pages that people open: hosted ones, and the operators' login."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from api.hosted.pages import drawn_page
from api.problems import RateLimited
from api.throttling import AREAS, Area, Limits, Rule, Scope

_POST = frozenset({"POST"})


def _too_many(request: HttpRequest, error: RateLimited) -> HttpResponse:
    seconds = error.details["retry_after"]
    when = "in a moment" if seconds < 5 else f"in {seconds} seconds" if seconds < 90 else "in a few minutes"
    about = {
        "title": "One moment, please",
        "message": f"Too many requests have come from your network. Nothing is lost: go back and try again {when}.",
    }
    answer = drawn_page(request, "hosted/message.html", about, status=429)
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    return answer


# A whole office may be behind one address, so these only stop machines.
PAGES = AREAS.add(
    Area(
        prefixes=("/answer/", "/email-verification/", "/forms/", "/invitations/", "/password-reset/", "/sign-in"),
        limits=Limits(
            name="pages",
            rules=(Rule("/*", 120, 60, Scope.ADDRESS), Rule("/*", 30, 15, Scope.ADDRESS, methods=_POST)),
        ),
        refuse=_too_many,
    )
)
OPERATORS = AREAS.add(
    Area(
        prefixes=("/admin/login",),
        limits=Limits(
            name="operators",
            rules=(
                Rule("/admin/login*", 10, 5, Scope.ADDRESS, methods=_POST, guards=True),
                Rule("/admin/login*", 10, 5, Scope.ACCOUNT, methods=_POST, guards=True),
            ),
            accounts=("username",),
        ),
        refuse=_too_many,
    )
)
