"""The addresses of the `orchestrator` dialect (002)."""

from django.urls import path

from api.orchestrator.views import auth

urlpatterns = [
    path("v1/auth/login", auth.OrchestratorLoginView.as_view()),
    path("v1/auth/refresh", auth.OrchestratorRefreshView.as_view()),
    path("v1/auth/logout", auth.OrchestratorLogoutView.as_view()),
    path("v1/auth/mfa/enroll", auth.EnrolView.as_view()),
    path("v1/auth/mfa/verify", auth.EnrolmentCodeView.as_view()),
]
