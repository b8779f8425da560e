"""How a hosted page is sent: drawn with a policy that lets nothing run and nothing else be loaded."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def drawn_page(
    request: HttpRequest, template: str, about: dict[str, Any], status: int = 200, *, scripts: bool = False
) -> HttpResponse:
    """`scripts` lets the page's own files run and ask this server; nothing written into a page ever runs."""
    nonce = secrets.token_urlsafe(16)
    answer = render(request, template, {**about, "nonce": nonce}, status=status)
    runs = "script-src 'self'; connect-src 'self'; " if scripts else ""
    answer["Content-Security-Policy"] = (
        f"default-src 'none'; {runs}style-src 'nonce-{nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return answer
