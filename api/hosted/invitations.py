"""`/invitations/{token}`: where an invited person says yes. Opening it decides nothing; only sending the form does."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from accounts import invitations
from accounts.errors import WrongCredentials
from api.hosted.fields import Drawn
from api.hosted.views import HostedPage
from auterity.kernel.errors import FieldProblem, InvalidInput

_FIELDS = (
    ("first_name", "First name", "text"),
    ("last_name", "Last name", "text"),
    ("password", "Password", "password"),
)


class InvitationPage(HostedPage):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._show(request, invitations.look(token))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        invited = invitations.look(token)
        self.take_files(request, [])
        given = {name: request.POST.get(name, "") for name, _label, _kind in _FIELDS}
        try:
            invitations.accept(
                token=token,
                password=given["password"],
                first_name=given["first_name"],
                last_name=given["last_name"],
            )
        except InvalidInput as error:
            return self._show(request, invited, error.problems, status=400)
        except WrongCredentials:
            wrong = FieldProblem("password", "This is not the password of the account that has this address.")
            return self._show(request, invited, [wrong], status=400)
        return self.say(request, "Welcome", f"You belong to {invited.organization} now. You can sign in.", status=201)

    def _show(
        self,
        request: HttpRequest,
        invited: invitations.Invited,
        problems: list[FieldProblem] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        told = {problem.field: problem.message for problem in problems or []}
        fields = [
            Drawn(
                name=name,
                key=name,
                label=label,
                kind=kind,
                required=name == "password",
                value="" if kind == "password" else request.POST.get(name, ""),
                problem=told.pop(name, ""),
            )
            for name, label, kind in _FIELDS
        ]
        more = "".join(f"\n{message}" for message in told.values())
        about = {
            "title": f"Join {invited.organization}",
            "message": f"You are invited to join {invited.organization} as {invited.role}, with the address "
            f"{invited.email}.\nGive your names and choose a password. If this address has an account already, its password "
            f"is enough.{more}",
            "fields": fields,
            "decides": False,
            "until": invited.expires_at,
        }
        return self.page(request, "hosted/question.html", about, status)
