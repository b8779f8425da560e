"""Pages for people who do not sign in: answers by a link, what our mails link to, signing in, forms that start a workflow."""

from django.urls import path

from api.hosted import limits  # noqa: F401  Makes the limits of these pages known.
from api.hosted.invitations import InvitationPage
from api.hosted.proofs import EmailVerificationPage, PasswordResetPage
from api.hosted.sign_in import SignInPage, WayBackPage
from api.hosted.views import AnswerPage, StartPage

urlpatterns = [
    path("answer/<str:token>", AnswerPage.as_view()),
    path("invitations/<str:token>", InvitationPage.as_view()),
    path("password-reset/<str:token>", PasswordResetPage.as_view()),
    path("email-verification/<str:token>", EmailVerificationPage.as_view()),
    path("sign-in", SignInPage.as_view()),
    path("sign-in/callback", WayBackPage.as_view()),
    path("forms/<uuid:workflow_id>/<str:node_id>", StartPage.as_view()),
]
