"""The API's own description (001, Documentation): open to everybody, assets served from here."""

from __future__ import annotations

from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from api.auterity.dialect import AUTERITY
from api.base import WordsRefusals


@extend_schema(exclude=True)
class OpenApiView(WordsRefusals, SpectacularAPIView):
    dialect = AUTERITY
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer]


@extend_schema(exclude=True)
class SwaggerView(WordsRefusals, SpectacularSwaggerView):
    dialect = AUTERITY
    url_name = "openapi"


@extend_schema(exclude=True)
class RedocView(WordsRefusals, SpectacularRedocView):
    dialect = AUTERITY
    url_name = "openapi"
    template_name = "api/redoc.html"
