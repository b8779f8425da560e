"""`/sign-in`: a page of ours to sign in with a passkey, Google or an organization's provider, and to keep passkeys.

The page is drawn without a word of script in it; what runs is `static/hosted/sign-in.js`, over the same addresses as any client.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from api.hosted.pages import drawn_page
from api.hosted.views import HostedPage
from identity import google, signins, sso
from identity.errors import SsoNotFound


class SignInPage(HostedPage):
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        about = {
            "title": "Sign in",
            "google": google.is_configured(),
            "provider": _provider(request),
            "back": signins.callback(),
        }
        return drawn_page(request, "hosted/sign_in.html", about, scripts=True)


class WayBackPage(HostedPage):
    """Where providers send people back to. Opening it uses nothing up; its script sends in what the address carries."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return drawn_page(request, "hosted/sign_in_back.html", {"title": "Signing in"}, scripts=True)


def _provider(request: HttpRequest) -> dict[str, str] | None:
    """The provider that `?provider=` names. Raises `SsoNotFound`."""
    named = request.GET.get("provider", "")
    if not named:
        return None
    try:
        row = sso.open_to(UUID(named))
    except ValueError:
        raise SsoNotFound from None
    return {"id": str(row.pk), "name": row.name}
