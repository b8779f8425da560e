"""Which tokens open which door: forged, damaged, expired, of another kind, and of people who lost their standing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.utils import timezone

from accounts import services, tokens
from accounts.errors import NotAuthenticated, TokenExpired, TokenInvalid
from accounts.models import Membership, Organization, Session, User
from auterity.kernel.access import ROLE_PERMISSIONS, Actor, Permission, Role
from auterity.kernel.errors import InvalidInput, PermissionDenied

pytestmark = pytest.mark.django_db

OTHER_KEY = b"k" * 32


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def claims(founder, log_in) -> dict[str, Any]:
    return jwt.decode(log_in().access_token, options={"verify_signature": False})


def signed(
    claims: dict[str, Any], key: bytes | None = None, headers: dict[str, Any] | None = None, **changed: Any
) -> str:
    return jwt.encode({**claims, **changed}, key or tokens.signing_key(), "HS256", headers=headers)


def refused(token: str) -> None:
    """At every door, with the same answer."""
    with pytest.raises(TokenInvalid) as at_access:
        tokens.authenticate_access(token)
    with pytest.raises(TokenInvalid) as at_refresh:
        services.refresh(token=token, access_seconds=60)
    assert at_access.value.message == at_refresh.value.message == "The token is not valid."
    assert Session.objects.get().revoked_at is None


def test_the_untouched_claims_are_accepted(claims) -> None:
    assert str(tokens.authenticate_access(signed(claims)).user_id) == claims["sub"]


def test_the_key_is_long_its_own_and_one_for_each_purpose(settings) -> None:
    keys = [tokens.signing_key(), tokens.signing_key("cross_system:relaycore"), settings.SECRET_KEY.encode()]
    assert [len(key) for key in keys[:2]] == [32, 32]
    assert len(set(keys)) == 3
    settings.SECRET_KEY = "another"
    assert tokens.signing_key() not in keys


FORGERIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "alg none, no signature": lambda c: f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(c)}.",
    "alg None in capitals": lambda c: f"{part({'alg': 'NONE', 'typ': 'JWT'})}.{part(c)}.",
    "alg none, real signature": lambda c: f"{part({'alg': 'none'})}.{part(c)}.{signed(c).split('.')[2]}",
    "no alg": lambda c: f"{part({'typ': 'JWT'})}.{part(c)}.{signed(c).split('.')[2]}",
    "alg is a list": lambda c: f"{part({'alg': ['HS256']})}.{part(c)}.{signed(c).split('.')[2]}",
    "HS384 with the right key": lambda c: jwt.encode(c, tokens.signing_key() + b"\0" * 16, "HS384"),
    "RS256 with a key of the sender": lambda c: jwt.encode(
        c, rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"
    ),
    "another key": lambda c: signed(c, OTHER_KEY),
    "the SECRET_KEY itself": lambda c: signed(c, settings.SECRET_KEY.encode().ljust(32, b"0")),
    "the key of another purpose": lambda c: signed(c, tokens.signing_key("cross_system:relaycore")),
    "another key named by kid": lambda c: signed(c, OTHER_KEY, {"kid": "../../../../dev/null"}),
    "kid with SQL": lambda c: signed(c, OTHER_KEY, {"kid": "x' UNION SELECT 'k' --"}),
    "kid is a number": lambda c: f"{part({'alg': 'HS256', 'kid': 7})}.{part(c)}.{signed(c).split('.')[2]}",
    "another key in a jwk header": lambda c: signed(c, OTHER_KEY, {"jwk": {"kty": "oct", "k": part(OTHER_KEY)}}),
    "another key by jku": lambda c: signed(c, OTHER_KEY, {"jku": "https://evil.example/keys"}),
    "another key by x5u": lambda c: signed(c, OTHER_KEY, {"x5u": "https://evil.example/cert"}),
    "an unknown critical header": lambda c: signed(c, None, {"crit": ["exp2"], "exp2": 1}),
    "changed payload": lambda c: ".".join(
        [signed(c).split(".")[0], part({**c, "sub": str(uuid4())}), signed(c).split(".")[2]]
    ),
    "no signature": lambda c: signed(c).rsplit(".", 1)[0] + ".",
    "cut signature": lambda c: signed(c)[:-4],
    "two parts": lambda c: signed(c).rsplit(".", 1)[0],
    "four parts": lambda c: signed(c) + ".x",
    "empty": lambda c: "",
    "dots": lambda c: "..",
    "spaces": lambda c: " " * 50,
    "not ASCII": lambda c: signed(c)[:-1] + "é",
    "half a surrogate pair": lambda c: "\ud800",
    "NUL": lambda c: signed(c) + "\x00",
    "a megabyte": lambda c: "a." * 500_000,
    "a real token that is too long": lambda c: signed(c, padding="x" * 5000),
    "a deeply nested header": lambda c: f"{part(b'[' * 2900)}.{part({})}.",
    "a header that is no object": lambda c: f"{part([])}.{part(c)}.x",
    "a header that is not UTF-8": lambda c: f"{part(bytes([255, 254]))}.{part(c)}.x",
    "a payload that is no object": lambda c: jwt.api_jws.encode(b"[]", tokens.signing_key(), "HS256"),
    "another issuer": lambda c: signed(c, iss="evil"),
    "issuers as a list": lambda c: signed_raw(c, iss=["auterity"]),
    "another audience": lambda c: signed(c, aud="relaycore"),
    "audiences as a list": lambda c: signed(c, aud=["auterity"]),
    "a refresh token's audience": lambda c: signed(c, aud="auterity:refresh"),
    "kind cross_system": lambda c: signed(c, typ="cross_system"),
    "kind unknown": lambda c: signed(c, typ="mfa"),
    "kind in capitals": lambda c: signed(c, typ="ACCESS"),
    "kind is a list": lambda c: signed(c, typ=["access"]),
    "sub is a number": lambda c: signed_raw(c, sub=1),
    "sub is an object": lambda c: signed_raw(c, sub={"$ne": ""}),
    "sub is no id": lambda c: signed(c, sub="admin"),
    "sub of somebody else": lambda c: signed(c, sub=str(uuid4())),
    "sid of no login": lambda c: signed(c, sid=str(uuid4())),
    "sid is a number": lambda c: signed(c, sid=1),
    "jti is a number": lambda c: signed_raw(c, jti=1),
    "jti is no id": lambda c: signed(c, jti="x"),
    "a later version": lambda c: signed(c, ver=1),
    "version is true": lambda c: signed(c, ver=False),
    "version is text": lambda c: signed(c, ver="0"),
    "exp is text": lambda c: signed_raw(c, exp=str(c["exp"])),
    "exp is endless": lambda c: signed_raw(c, exp=float("inf")),
    "exp is true": lambda c: signed_raw(c, exp=True),
    "iat is text": lambda c: signed_raw(c, iat="0"),
    "issued in the future": lambda c: signed(c, iat=c["iat"] + 3600),
    "not yet valid": lambda c: signed(c, nbf=c["iat"] + 3600),
    **{
        f"without {name}": lambda c, name=name: signed({k: v for k, v in c.items() if k != name})
        for name in tokens.REQUIRED
    },
    **{f"{name} is null": lambda c, name=name: signed_raw(c, **{name: None}) for name in tokens.REQUIRED},
}


def signed_raw(claims: dict[str, Any], **changed: Any) -> str:
    """Past PyJWT's own checks on encoding."""
    return jwt.api_jws.encode(json.dumps({**claims, **changed}).encode(), tokens.signing_key(), "HS256")


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_or_damaged_token_opens_no_door(claims, name: str) -> None:
    refused(FORGERIES[name](claims))


def test_headers_are_not_believed_even_when_the_signature_is_right(claims) -> None:
    headers = {"kid": "nobody", "jku": "https://evil.example", "jwk": {"kty": "oct", "k": part(OTHER_KEY)}}
    assert str(tokens.authenticate_access(signed(claims, None, headers)).user_id) == claims["sub"]


def test_an_access_token_ends_at_its_time_plus_thirty_seconds_and_says_when(founder, log_in) -> None:
    now = timezone.now().replace(microsecond=0)
    token = log_in(now=now).access_token
    until = now + timedelta(seconds=1800)
    assert tokens.authenticate_access(token, now=until + timedelta(seconds=29)).user_id == founder.user.pk
    with pytest.raises(TokenExpired) as refusal:
        tokens.authenticate_access(token, now=until + timedelta(seconds=30))
    assert refusal.value.message == "Access token has expired"
    assert refusal.value.details == {"expired_at": until.strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_a_token_from_a_clock_thirty_seconds_ahead_is_accepted(founder, log_in) -> None:
    now = timezone.now()
    token = log_in(now=now + timedelta(seconds=29)).access_token
    assert tokens.authenticate_access(token, now=now).user_id == founder.user.pk


def test_a_refresh_token_is_no_access_token_even_expired(founder, log_in) -> None:
    now = timezone.now()
    token = log_in(now=now).refresh_token
    for when in (now, now + timedelta(days=30)):
        with pytest.raises(TokenInvalid):
            tokens.authenticate_access(token, now=when)


def test_every_request_asks_the_database_once(founder, log_in, django_assert_num_queries) -> None:
    pair = log_in()
    with django_assert_num_queries(1) as queries:
        assert tokens.authenticate_access(pair.access_token) == pair.actor
    assert queries.captured_queries[0]["sql"].count("JOIN user_roles") == 1
    with django_assert_num_queries(1):
        assert tokens.authenticate_session(pair.actor.session_id) == pair.actor
    with django_assert_num_queries(0), pytest.raises(TokenInvalid):
        tokens.authenticate_access("rubbish")


@pytest.mark.parametrize("model", [User, Membership, Organization])
def test_switching_somebody_off_bites_at_once(founder, log_in, model) -> None:
    pair = log_in()
    model.objects.update(is_active=False)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_session(pair.actor.session_id)


def test_a_membership_elsewhere_does_not_keep_a_login_alive(founder, log_in) -> None:
    pair = log_in()
    Membership.objects.create(user=founder.user, organization=Organization.objects.create(name="Second"), role="viewer")
    assert tokens.authenticate_access(pair.access_token).role is Role.ADMIN
    Membership.objects.filter(organization=founder.organization).update(is_active=False)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)


def test_rights_are_those_of_today_not_those_in_the_token(founder, log_in) -> None:
    pair = log_in()
    Membership.objects.update(role=Role.VIEWER.value)
    actor = tokens.authenticate_access(pair.access_token)
    assert (actor.role, actor.permissions) == (Role.VIEWER, ROLE_PERMISSIONS[Role.VIEWER])


def test_a_cross_system_token_is_for_its_target_alone_for_one_hour(admin) -> None:
    now = timezone.now()
    made = services.cross_system_token(
        actor=admin, target_system="relaycore", permissions=["metrics:read", "ai:route", "metrics:read"], now=now
    )
    assert made.permissions == ["metrics:read", "ai:route"]
    assert made.expires_at == now.replace(microsecond=0) + timedelta(hours=1)
    key = tokens.signing_key("cross_system:relaycore")
    claims = jwt.decode(made.token, key, algorithms=["HS256"], audience="relaycore", issuer="auterity")
    assert (claims["typ"], claims["sub"], claims["org_id"], claims["sid"], claims["permissions"], claims["exp"]) == (
        "cross_system",
        str(admin.user_id),
        str(admin.organization_id),
        str(admin.session_id),
        ["metrics:read", "ai:route"],
        int(made.expires_at.timestamp()),
    )
    refused(made.token)
    refused(jwt.encode(claims, tokens.signing_key(), "HS256"))
    assert made.token not in repr(made)


@pytest.mark.parametrize("target", ["", "RelayCore", "auterity", "auterity:refresh", "relaycore\n"])
def test_a_cross_system_token_needs_a_registered_target(admin, target: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        services.cross_system_token(actor=admin, target_system=target, permissions=["ai:route"])
    assert [problem.field for problem in refusal.value.problems] == ["target_system"]


def test_a_cross_system_token_needs_permissions_the_caller_has(admin, bob, log_in) -> None:
    with pytest.raises(InvalidInput) as refusal:
        services.cross_system_token(actor=admin, target_system="relaycore", permissions=[])
    assert [(problem.field, problem.code) for problem in refusal.value.problems] == [("permissions", "required")]
    member = log_in("bob@example.com").actor
    for lacking in (Permission.AI_ROUTE, "metrics:read", "workflow:everything", "*", "", "WORKFLOW:READ"):
        with pytest.raises(PermissionDenied) as denial:
            services.cross_system_token(actor=member, target_system="relaycore", permissions=["workflow:read", lacking])
        assert denial.value.details == {"required": lacking}


def test_a_cross_system_token_is_made_with_the_rights_of_this_moment(founder, bob, log_in) -> None:
    actor = log_in("bob@example.com").actor
    Membership.objects.filter(pk=bob.pk).update(role=Role.VIEWER.value)
    with pytest.raises(PermissionDenied):
        services.cross_system_token(actor=actor, target_system="relaycore", permissions=["workflow:create"])
    Membership.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(TokenInvalid):
        services.cross_system_token(actor=actor, target_system="relaycore", permissions=["workflow:read"])
    process = Actor(actor.user_id, actor.organization_id, actor.role, actor.permissions)
    with pytest.raises(NotAuthenticated):
        services.cross_system_token(actor=process, target_system="relaycore", permissions=["workflow:read"])
