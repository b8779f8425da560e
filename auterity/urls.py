"""Every address of the product. Each dialect brings its own; what nobody claims is worded by the dialect of its prefix."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("", RedirectView.as_view(url="/docs")),
    path("", include("api.auterity.urls")),
    path("", include("api.business.urls")),
    path("", include("api.orchestrator.urls")),
    path("", include("api.workflow_engine.urls")),
    path("", include("api.hosted.urls")),
]

handler400 = "api.base.refused"
handler403 = "api.base.refused"
handler404 = "api.base.no_such_path"
handler500 = "api.base.crashed"
