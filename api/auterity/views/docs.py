"""The API's own description (001, Documentation): open to everybody, assets served from here."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from api.auterity.dialect import AUTERITY
from api.base import WordsRefusals
from api.needs import OPEN
from api.parsers import JsonRenderer

# Both pages style what they draw as they draw it; ReDoc searches in a worker that it makes itself. No script is inside a page.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)


class Page(WordsRefusals):
    """A page of the description, with a policy that it works under."""

    needs = OPEN

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal is no page: it is worded as everywhere."""
        self.request.accepted_renderer, self.request.accepted_media_type = JsonRenderer(), JsonRenderer.media_type
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: object, **kwargs: object) -> Response:
        response["Content-Security-Policy"] = POLICY
        return super().finalize_response(request, response, *args, **kwargs)


@extend_schema(exclude=True)
class OpenApiView(WordsRefusals, SpectacularAPIView):
    dialect = AUTERITY
    needs = OPEN
    urlconf = "api.auterity.urls"
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]

    def _get_schema_response(self, request: Request) -> Response:
        return Response(_document(self.urlconf))


@cache
def _document(urlconf: str) -> Any:
    """The document of a process; making it takes a second or more."""
    return OpenApiView.generator_class(urlconf=urlconf).get_schema(request=None, public=True)


@extend_schema(exclude=True)
class SwaggerView(Page, SpectacularSwaggerSplitView):
    dialect = AUTERITY
    url_name = "openapi"


@extend_schema(exclude=True)
class RedocView(Page, SpectacularRedocView):
    dialect = AUTERITY
    url_name = "openapi"
    template_name = "api/redoc.html"
