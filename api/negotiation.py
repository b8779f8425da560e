"""Which type an answer has, by what the client accepts and how much it likes each (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest
from django.http.request import MediaType
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


def preferred(request: HttpRequest, media: Sequence[str]) -> str | None:
    """The one of these types that the client likes best, the first of equals; None where it takes none of them.

    Without a word everything is accepted. Parameters other than `q` are not looked at: JSON has none that matter.
    """
    said = [MediaType(each) for each in request.headers.get("Accept", "").split(",") if each.strip()]
    if not said:
        return media[0]
    liked = [(_quality(said, each), -at) for at, each in enumerate(media)]
    quality, place = max(liked)
    return media[-place] if quality > 0 else None


def _quality(said: Sequence[MediaType], media: str) -> float:
    """What the most specific range that fits says."""
    main, _, sub = media.partition("/")
    ranges = {(each.main_type.lower(), each.sub_type.lower()): each.quality for each in reversed(said)}
    return next((ranges[fits] for fits in ((main, sub), (main, "*"), ("*", "*")) if fits in ranges), 0)


class ByPreference(DefaultContentNegotiation):
    """REST framework's own looks at the order of types only, and takes those that are refused by `q=0`."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        by_media: dict[str, Any] = {}
        for each in renderers:
            by_media.setdefault(str(each.media_type), each)
        chosen = preferred(request._request, list(by_media))
        if chosen is None:
            raise NotAcceptable(available_renderers=list(by_media.values()))
        return by_media[chosen], chosen
