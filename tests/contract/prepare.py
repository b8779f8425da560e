"""A new database with the catalogue in it, and people that the API alone cannot make in a moment, printed as JSON.

Other roles, a login that is switched off, a token of yesterday.
"""

from __future__ import annotations

import json
from io import StringIO

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed_templates", stdout=StringIO())
    from accounts import members, services
    from auterity.kernel.access import Role
    from tests.api.people import PASSWORD, colleague, founder

    ada = founder("ada@dealer.example", "AutoDealer Inc.")
    viewer = colleague(ada, "viewer@dealer.example", Role.VIEWER)
    otto = founder("otto@other.example", "Other Motors")
    gone = colleague(ada, "gone@dealer.example", Role.MEMBER)
    members.member_update(actor=ada.actor, user_id=gone.actor.user_id, is_active=False)
    expired = services.login(email=ada.email, password=PASSWORD, dialect="auterity", access_seconds=-3600)
    found = {
        "password": PASSWORD,
        "inactive": gone.email,
        "expired": expired.access_token,
        "admin": {"email": ada.email, "token": ada.tokens.access_token},
        "viewer": {"email": viewer.email, "token": viewer.tokens.access_token},
        "other": {"email": otto.email, "token": otto.tokens.access_token},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
