"""A new database with the catalogue in it, and people that the API alone cannot make in a moment, printed as JSON.

Other roles, a login that is switched off, one of an hour ago, a token of yesterday, one that came back.
"""

from __future__ import annotations

import json
from contextlib import suppress
from io import StringIO

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed_templates", stdout=StringIO())
    from accounts import members, services
    from accounts.errors import RefreshReused
    from accounts.models import Session
    from auterity.kernel.access import Role
    from security import threats
    from tests.api.people import PASSWORD, colleague, founder

    ada = founder("ada@dealer.example", "AutoDealer Inc.")
    member = colleague(ada, "member@dealer.example", Role.MEMBER)
    viewer = colleague(ada, "viewer@dealer.example", Role.VIEWER)
    stale = colleague(ada, "stale@dealer.example", Role.MEMBER)
    robbed = colleague(ada, "robbed@dealer.example", Role.MEMBER)
    Session.objects.filter(user_id=stale.actor.user_id).update(fresh_at=None)
    otto = founder("otto@other.example", "Other Motors")
    gone = colleague(ada, "gone@dealer.example", Role.MEMBER)
    members.member_update(actor=ada.actor, user_id=gone.actor.user_id, is_active=False)
    with suppress(RefreshReused):  # A detector tells the organization's admins of a token that came back.
        for _ in range(2):
            services.refresh(token=robbed.tokens.refresh_token or "", access_seconds=1800)
    threats.detect()
    expired = services.login(email=ada.email, password=PASSWORD, dialect="auterity", access_seconds=-3600)
    found = {
        "password": PASSWORD,
        "inactive": gone.email,
        "expired": expired.access_token,
        "admin": {"email": ada.email, "token": ada.tokens.access_token},
        "member": {"email": member.email, "token": member.tokens.access_token},
        "stale": {"email": stale.email, "token": stale.tokens.access_token},
        "viewer": {"email": viewer.email, "token": viewer.tokens.access_token},
        "other": {"email": otto.email, "token": otto.tokens.access_token},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
