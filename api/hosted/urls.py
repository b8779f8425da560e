"""Pages for people who do not sign in: answering by a link, and forms that start a workflow."""

from django.urls import path

from api.hosted.views import AnswerPage, StartPage

urlpatterns = [
    path("answer/<str:token>", AnswerPage.as_view()),
    path("forms/<uuid:workflow_id>/<str:node_id>", StartPage.as_view()),
]
