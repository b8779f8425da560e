"""G15: every operation without a credential, and with each that is no good: 401, but for the frozen list of open ones.

`python -m tests.load.g15_doors [--short]`
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections import Counter
from typing import Any

from tests.load.asked import operations
from tests.load.estate import PASSWORD, Estate, estate
from tests.load.gates import Figures
from tests.load.servers import stand_alone


def measure(short: bool) -> Figures:
    from django.test import override_settings

    from tests.api.people import Api
    from tests.api.test_doors import PUBLIC

    public = {re.sub(r"<\w+:(\w+)>", r"{\1}", each) for each in PUBLIC}
    with override_settings(RATE_LIMITS=False, ALLOWED_HOSTS=["*"]):
        owner = estate("doors")
        tried: Counter[str] = Counter()
        wrong: list[str] = []
        closed = [each for each in operations() if str(each) not in public]
        for at, (kind, headers) in enumerate(credentials(owner).items()):
            for asked in closed[at % 4 :: 4] if short and kind != "nothing" else closed:
                sent = {} if asked.body is None else {"body": asked.body}
                if asked.media != "application/json":
                    sent = {"raw": b"", "media": asked.media}
                answer = Api(headers=headers).call(asked.method, asked.filled(owner.id_for), **sent)
                tried[kind] += 1
                if answer.status_code != 401 or owner.marker.encode() in answer.content:
                    wrong.append(f"{asked} with {kind}: {answer.status_code}")
    opened = {str(each) for each in operations() if each.needs == "open"}
    undeclared = sorted(opened - public)
    figures = {
        "operations": len(operations()), "open": len(opened), "tried": dict(tried), "not_401": wrong[:20],
        "open_and_not_on_the_list": undeclared,
    }  # fmt: skip
    return {**figures, "passed": not (wrong or undeclared) and min(tried.values()) >= 25 and len(tried) >= 14}


def credentials(owner: Estate) -> dict[str, dict[str, str]]:
    """Headers, by what is wrong with them."""
    import jwt
    from django.utils import timezone

    from accounts import services
    from accounts.grants import ApiKey
    from accounts.models import User
    from accounts.tokens import ALGORITHM, signing_key
    from auterity.kernel.access import Role
    from tests.api.people import colleague

    admin = owner.owner
    now = timezone.now()

    def opened(email: str, **more: Any) -> Any:
        return services.login(email=email, password=PASSWORD, dialect="auterity", access_seconds=1800, **more)

    expired = opened(admin.email, now=now - dt.timedelta(hours=2))
    ended = opened(admin.email)
    services.logout(actor=ended.actor)
    disabled = colleague(admin, f"disabled-{owner.marker}@example.com", Role.ADMIN)
    disabled_key = made_key(disabled.api)
    User.objects.filter(pk=disabled.actor.user_id).update(is_active=False)
    raised = colleague(admin, f"raised-{owner.marker}@example.com", Role.ADMIN)
    User.objects.filter(pk=raised.actor.user_id).update(token_version=7)
    removed = colleague(admin, f"removed-{owner.marker}@example.com", Role.ADMIN)
    removed_key = made_key(removed.api)
    admin.api.delete(f"/api/organizations/current/members/{removed.actor.user_id}")
    revoked_key, late_key = made_key(admin.api), made_key(admin.api)
    admin.api.delete(f"/api/organization/api-keys/{revoked_key['id']}")
    ApiKey.unscoped.filter(pk=late_key["id"]).update(expires_at=now - dt.timedelta(seconds=1))
    other = services.cross_system_token(actor=admin.actor, target_system="relaycore", permissions=["ai:route"])
    good = admin.tokens.access_token
    claims = jwt.decode(good, options={"verify_signature": False})
    head, payload, signature = good.split(".")

    def signed(key: bytes = b"", **changed: Any) -> str:
        return jwt.encode({**claims, **changed}, key or signing_key(), algorithm=ALGORITHM)

    bearers = {
        "a token past its time": expired.access_token,
        "a token of a login that was ended": ended.access_token,
        "a token of a disabled user": disabled.tokens.access_token,
        "a token of an older version": raised.tokens.access_token,
        "a token of somebody removed": removed.tokens.access_token,
        "a refresh token": admin.tokens.refresh_token or "",
        "a token for another system": other.token,
        "another typ": signed(typ="refresh"),
        "another aud": signed(aud="auterity:refresh"),
        "another iss": signed(iss="somebody"),
        "another key": signed(key=secrets.token_bytes(32)),
        "no signature": f"{head}.{payload}.",
        "a turned signature": f"{head}.{payload}.{signature[::-1]}",
        "alg none": jwt.encode(claims, None, algorithm="none"),
        "no token at all": "garbage",
        "a revoked key": revoked_key["key"],
        "a key past its time": late_key["key"],
        "a key of a disabled user": disabled_key["key"],
        "a key of somebody removed": removed_key["key"],
        "a guessed key": f"aut_{secrets.token_urlsafe(32)}",
    }
    found = {kind: {"Authorization": f"Bearer {token}"} for kind, token in bearers.items()}
    found["nothing"] = {}
    found["a basic login"] = {"Authorization": "Basic YW5uOnNlY3JldA=="}
    found["a revoked key in its own header"] = {"X-API-Key": revoked_key["key"]}
    found["a good token in the key's header"] = {"X-API-Key": good}
    return found


def made_key(api: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.made("/api/organization/api-keys", {"name": "Key", "scopes": ["workflow:read"]})
    return made


if __name__ == "__main__":
    stand_alone("g15_doors", measure)
