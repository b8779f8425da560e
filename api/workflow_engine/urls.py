"""The addresses of the `workflow_engine` dialect (003). Fixed segments come before ids."""

from django.urls import path

from api.workflow_engine.views import auth

urlpatterns = [
    path("api/v1/auth/jwt/login", auth.JwtLoginView.as_view()),
    path("api/v1/auth/refresh", auth.JwtRefreshView.as_view()),
    path("api/v1/auth/logout", auth.JwtLogoutView.as_view()),
]
