"""Where mailed links lead: `/password-reset/{token}` and `/email-verification/{token}`. Opening one decides nothing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import links, passwords, proofs
from accounts.models import LetterKind
from api.hosted.fields import Drawn
from api.hosted.views import HostedPage
from auterity.kernel.errors import InvalidInput


class PasswordResetPage(HostedPage):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        proofs.find(token, LetterKind.PASSWORD_RESET, now=timezone.now())
        return self._show(request)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        self.take_files(request, [])
        try:
            passwords.reset(token=token, password=request.POST.get("password", ""))
        except InvalidInput as error:
            return self._show(request, " ".join(each.message for each in error.problems), status=400)
        onward = request.GET.get("next", "")
        return self.say(
            request,
            "Done",
            "Your new password is set, and every login has ended. You can sign in.",
            onward=onward if links.is_of_this_server(onward) else "",  # Anybody can write a link like the mailed one.
        )

    def _show(self, request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
        field = Drawn("password", "password", "New password", "password", required=True, value="", problem=problem)
        about = {"title": "Choose a new password", "fields": [field], "decides": False}
        return self.page(request, "hosted/question.html", about, status)


class EmailVerificationPage(HostedPage):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        proof = proofs.find(token, LetterKind.EMAIL_VERIFICATION, now=timezone.now())
        about = {
            "title": "Confirm your address",
            "message": f"Press Send to confirm that {proof.email} is yours.",
            "fields": [],
            "decides": False,
            "until": proof.expires_at,
        }
        return self.page(request, "hosted/question.html", about)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        self.take_files(request, [])
        passwords.verify_email(token=token)
        return self.say(request, "Thank you", "Your address is confirmed. You can close this page.")
