"""The addresses of the `business` dialect (004). Those it shares with 003 are in `api.workflow_engine.urls`."""

from django.urls import path

from api.business.views import auth

urlpatterns = [
    path("api/v1/auth/register", auth.RegistrationView.as_view()),
    path("api/v1/auth/login", auth.PasswordLoginView.as_view()),
    path("api/v1/auth/me", auth.SignedInUserView.as_view()),
]
