"""How a hosted page is sent: drawn with a policy that lets nothing run and nothing else be loaded."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def drawn_page(request: HttpRequest, template: str, about: dict[str, Any], status: int = 200) -> HttpResponse:
    nonce = secrets.token_urlsafe(16)
    answer = render(request, template, {**about, "nonce": nonce}, status=status)
    answer["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return answer
