"""The API's own description (001, Documentation): open to everybody, assets served from here."""

from __future__ import annotations

from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView


@extend_schema(exclude=True)
class OpenApiView(SpectacularAPIView):
    renderer_classes = [OpenApiJsonRenderer]


@extend_schema(exclude=True)
class SwaggerView(SpectacularSwaggerView):
    url_name = "openapi"


@extend_schema(exclude=True)
class RedocView(SpectacularRedocView):
    url_name = "openapi"
