"""An organization's own provider: who may set it up, whom it lets in, and where its word ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Membership, Session, User
from auterity.kernel.access import Role
from identity.models import ExternalIdentity, SsoProvider
from tests.accounts.authenticator import enable
from tests.api.people import PASSWORD, Api, Person, colleague, founder, logged_in
from tests.identity.provider import CLIENT, SECRET, Account, Provider

pytestmark = pytest.mark.django_db

SSO, BACK = "/api/organization/sso", "/api/auth/sso/callback"


def said(provider: Provider, **more: Any) -> dict[str, Any]:
    return {
        "name": "AutoDealer accounts",
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "allowed_domains": ["autodealer.example"],
        **more,
    }


def set_up(person: Person, provider: Provider, **more: Any) -> dict[str, Any]:
    answer = person.api.put(SSO, said(provider, **more))
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def came_back(api: Api, provider: Provider, provider_id: str, account: Account | None = None) -> Any:
    way = api.get(f"/api/auth/sso/{provider_id}/authorize")
    assert way.status_code == 200, way.content
    return api.post(BACK, provider.consent(way.json()["authorization_url"], account))


def test_an_admin_sets_it_up_and_nobody_sees_the_secret(ann: Person, member: Person, provider: Provider) -> None:
    shown = set_up(ann, provider, default_role="viewer")
    assert shown["sign_in_url"] == f"http://localhost:8000/sign-in?provider={shown['id']}"
    assert shown["redirect_uri"] == "http://localhost:8000/sign-in/callback"
    assert SECRET not in ann.api.get(SSO).content.decode()
    row = SsoProvider.objects.of(ann.actor).get()
    assert SECRET.encode() not in bytes(row.sealed)
    for method in ("GET", "PUT", "DELETE"):
        body = said(provider) if method == "PUT" else {}
        assert member.api.call(method, SSO, body).status_code == 403
    assert set_up(ann, provider, client_secret="", name="Another name")["name"] == "Another name"
    assert ann.api.post(f"{SSO}/test").json()["ok"] is True
    assert ann.api.delete(SSO).status_code == 204
    assert ann.api.get(SSO).status_code == 404


def test_another_issuer_asks_for_the_secret_anew(ann: Person, provider: Provider) -> None:
    """Else an admin could have the stored secret sent to a server of their own."""
    set_up(ann, provider)
    refused = ann.api.put(SSO, said(provider, client_secret="", client_id="another"))
    assert refused.json()["error"]["details"]["field"] == "client_secret"
    assert SsoProvider.objects.of(ann.actor).get().client_id == CLIENT


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"issuer": "http://169.254.169.254/"}, "issuer"),
        ({"issuer": "https://user:password@idp.example"}, "issuer"),
        ({"issuer": "https://idp.example/.well-known/openid-configuration"}, "issuer"),
        ({"allowed_domains": ["gmail.com"]}, "allowed_domains"),
        ({"allowed_domains": ["*.example"]}, "allowed_domains"),
        ({"allowed_domains": ["autodealer"]}, "allowed_domains"),
        ({"allowed_domains": []}, "allowed_domains"),
        ({"default_role": "admin"}, "default_role"),
        ({"client_id": " "}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
    ],
)
def test_what_cannot_be_right_is_refused(ann: Person, provider: Provider, wrong: dict[str, Any], field: str) -> None:
    answer = ann.api.put(SSO, said(provider, **wrong))
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"].startswith(field)
    assert SsoProvider.objects.of(ann.actor).count() == 0


def test_somebody_new_becomes_a_member_with_the_role_that_was_set(ann: Person, provider: Provider) -> None:
    provider_id = set_up(ann, provider, default_role="viewer")["id"]
    came = came_back(Api(), provider, provider_id, Account(email="new@autodealer.example")).json()
    assert came["action"] == "registered"
    me = Api(came["access_token"]).get("/api/auth/me").json()
    assert (me["role"], me["organization_id"]) == ("viewer", str(ann.actor.organization_id))
    user = User.objects.get(pk=came["user_id"])
    assert user.email_verified_at is None  # The provider's word counts in this organization only.
    again = came_back(Api(), provider, provider_id, Account(email="new@autodealer.example")).json()
    assert (again["action"], again["user_id"]) == ("login", came["user_id"])
    assert Session.objects.filter(user=user).first().factors == ["sso"]


@pytest.mark.parametrize(
    ("account", "more", "status"),
    [
        (Account(email="new@elsewhere.example"), {}, 403),
        (Account(email="new@sub.autodealer.example"), {}, 403),
        (Account(email="new@autodealer.example.evil.example"), {}, 403),
        (Account(email="new@evil.example@autodealer.example"), {}, 400),
        (Account(email=""), {}, 403),
        (Account(verified=False), {}, 403),
        (Account(), {"creates_members": False}, 403),
    ],
)
def test_whoever_may_not_come_in_does_not(
    ann: Person, provider: Provider, account: Account, more: dict[str, Any], status: int
) -> None:
    provider_id = set_up(ann, provider, **more)["id"]
    assert came_back(Api(), provider, provider_id, account).status_code == status
    assert (User.objects.count(), ExternalIdentity.objects.count()) == (1, 0)


def test_an_address_alone_is_not_its_owner(ann: Person, otto: Person, provider: Provider) -> None:
    """Neither a member's nor anybody else's, whoever runs the provider."""
    somebody = founder("boss@autodealer.example", "Boss Motors")
    provider_id = set_up(ann, provider)["id"]
    refused = came_back(Api(), provider, provider_id, Account(email=somebody.email))
    assert refused.status_code == 409
    set_up(ann, provider, links_members=True)
    assert came_back(Api(), provider, provider_id, Account(email=somebody.email)).status_code == 409
    assert Membership.objects.filter(organization_id=ann.actor.organization_id).count() == 1
    assert ExternalIdentity.objects.count() == 0


def test_members_link_themselves_or_are_linked_where_the_admin_says_so(ann: Person, provider: Provider) -> None:
    one = colleague(ann, "one@autodealer.example", Role.MEMBER)
    two = colleague(ann, "two@autodealer.example", Role.MEMBER)
    provider_id = set_up(ann, provider)["id"]
    linked = came_back(one.api, provider, provider_id, Account(sub="one", email="any@autodealer.example")).json()
    assert (linked["action"], linked["access_token"]) == ("linked", None)
    came = came_back(Api(), provider, provider_id, Account(sub="one", email="any@autodealer.example")).json()
    assert came["user_id"] == str(one.actor.user_id)
    assert came_back(Api(), provider, provider_id, Account(sub="two", email=two.email)).status_code == 409
    set_up(ann, provider, links_members=True)
    came = came_back(Api(), provider, provider_id, Account(sub="two", email=two.email)).json()
    assert (came["action"], came["user_id"]) == ("login", str(two.actor.user_id))


def test_the_provider_of_one_organization_says_nothing_of_another(
    ann: Person, otto: Person, provider: Provider
) -> None:
    """Both use one issuer, and one of them may be its master: a link counts by provider, not by what the issuer is called."""
    anns, ottos = set_up(ann, provider)["id"], set_up(otto, provider)["id"]
    first = came_back(Api(), provider, anns, Account(sub="one", email="one@autodealer.example")).json()
    second = came_back(Api(), provider, ottos, Account(sub="one", email="one@autodealer.example"))
    assert second.status_code == 409
    assert otto.api.get(f"/api/auth/sso/{anns}/authorize").status_code == 404
    assert ExternalIdentity.objects.get().user_id == User.objects.get(pk=first["user_id"]).pk


def test_its_word_ends_at_the_organizations_door(ann: Person, otto: Person, provider: Provider) -> None:
    """Whoever runs the provider can sign in as its members; not so switch to another organization, nor leave a key behind."""
    provider_id = set_up(ann, provider)["id"]
    came = came_back(Api(), provider, provider_id, Account(email="new@autodealer.example")).json()
    user = User.objects.get(pk=came["user_id"])
    Membership.objects.create(user=user, organization_id=otto.actor.organization_id, role="member")
    api = Api(came["access_token"])
    switched = api.post("/api/auth/switch-organization", {"organization_id": str(otto.actor.organization_id)})
    assert switched.status_code == 403, switched.content
    passkey = api.post("/api/v1/webauthn/register/begin", {})
    assert passkey.json()["error"]["code"] == "ERR_403_OWN_LOGIN_REQUIRED"
    assert api.post("/api/v1/2fa/setup", {}).json()["error"]["code"] == "ERR_403_OWN_LOGIN_REQUIRED"
    assert Session.objects.filter(user=user).exclude(organization_id=ann.actor.organization_id).count() == 0


def test_where_it_is_compulsory_members_come_in_no_other_way(ann: Person, member: Person, provider: Provider) -> None:
    linked = set_up(ann, provider)["id"]
    assert came_back(member.api, provider, linked, Account(email="member@autodealer.example")).status_code == 200
    set_up(ann, provider, is_required=True)
    assert member.api.get("/api/auth/me").status_code == 401  # The login it had has ended.
    assert ann.api.get("/api/auth/me").status_code == 200
    refused = Api().post("/api/auth/login", {"email": member.email, "password": PASSWORD})
    assert refused.status_code == 403
    assert refused.json()["error"]["details"]["provider_id"] == linked
    assert Api().post("/api/auth/login", {"email": member.email, "password": "wrong"}).status_code == 401
    came = came_back(Api(), provider, linked, Account(email="member@autodealer.example")).json()
    assert came["user_id"] == str(member.actor.user_id)
    assert logged_in(ann.email).tokens.access_token  # An admin can always put it right.
    set_up(ann, provider, is_required=True, is_active=False)
    assert logged_in(member.email).tokens.access_token


def test_one_that_is_switched_off_or_of_nobody_leads_nowhere(ann: Person, provider: Provider) -> None:
    provider_id = set_up(ann, provider)["id"]
    api = Api()
    way = api.get(f"/api/auth/sso/{provider_id}/authorize").json()
    set_up(ann, provider, is_active=False)
    assert api.get(f"/api/auth/sso/{provider_id}/authorize").status_code == 404
    assert api.post(BACK, provider.consent(way["authorization_url"])).status_code == 404
    assert api.get("/api/auth/sso/018f0000-0000-7000-8000-000000000000/authorize").status_code == 404
    assert User.objects.count() == 1


@pytest.mark.parametrize("said", [{"is_active": False}, {"issuer": "https://another.example"}, None])
def test_logins_end_with_the_provider_that_vouched_for_them(
    ann: Person, member: Person, provider: Provider, said: dict[str, Any] | None
) -> None:
    provider_id = set_up(ann, provider)["id"]
    came = came_back(Api(), provider, provider_id, Account(email="new@autodealer.example")).json()
    assert (
        came_back(
            member.api, provider, provider_id, Account(sub="member", email="member@autodealer.example")
        ).status_code
        == 200
    )
    set_up(ann, provider, name="Renamed")
    assert Api(came["access_token"]).get("/api/auth/me").status_code == 200
    if said is None:
        assert ann.api.delete(SSO).status_code == 204
    else:
        set_up(ann, provider, **said)
    assert Api(came["access_token"]).get("/api/auth/me").status_code == 401
    assert Api().post("/api/auth/refresh", {"refresh_token": came["refresh_token"]}).status_code == 401
    assert member.api.get("/api/auth/me").status_code == 200  # It came by its password.
    assert ann.api.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("switched", [{"is_required": "on"}, {"is_active": "on", "is_required": "on"}])
def test_operators_who_switch_a_provider_end_what_it_no_longer_lets_in(
    ann: Person, member: Person, provider: Provider, switched: dict[str, str]
) -> None:
    provider_id = set_up(ann, provider)["id"]
    came = came_back(Api(), provider, provider_id, Account(email="new@autodealer.example")).json()
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "pw", first_name="Ro", last_name="Ot"))
    answer = operator.post(f"/admin/identity/ssoprovider/{provider_id}/change/", switched)
    assert answer.status_code == 302
    row = SsoProvider.objects.of(ann.actor).get()
    assert (row.is_active, row.is_required, row.name) == ("is_active" in switched, True, "AutoDealer accounts")
    assert Api(came["access_token"]).get("/api/auth/me").status_code == (200 if row.is_active else 401)
    assert member.api.get("/api/auth/me").status_code == (401 if row.is_active else 200)
    assert ann.api.get("/api/auth/me").status_code == 200


def test_a_login_that_waits_for_a_second_factor_ends_with_its_provider(ann: Person, provider: Provider) -> None:
    member = colleague(ann, "one@autodealer.example", Role.MEMBER)
    app, _ = enable(member.actor, now=timezone.now() - timedelta(minutes=5))
    provider_id = set_up(ann, provider)["id"]
    account = Account(sub="one", email=member.email)
    assert came_back(member.api, provider, provider_id, account).json()["action"] == "linked"
    waiting = came_back(Api(), provider, provider_id, account).json()["mfa_token"]
    set_up(ann, provider, is_active=False)
    body = {"method": "totp", "mfa_token": waiting, "code": app.code()}
    assert Api().post("/api/v1/enhanced/multi-factor", body).status_code == 404
    assert Session.objects.filter(user_id=member.actor.user_id, factors__contains="sso").count() == 0


def test_a_way_to_one_provider_is_not_finished_at_another(ann: Person, provider: Provider) -> None:
    provider_id = set_up(ann, provider)["id"]
    api = Api()
    way = api.get(f"/api/auth/sso/{provider_id}/authorize").json()
    returned = provider.consent(way["authorization_url"])
    assert api.post("/api/v1/oauth/google/callback", returned).json()["error"]["code"] == "ERR_400_STATE_INVALID"
    set_up(ann, provider, issuer="https://another.example")
    assert api.post(BACK, returned).status_code == 400
    assert User.objects.count() == 1


def test_members_who_left_do_not_come_back_by_it(ann: Person, provider: Provider) -> None:
    provider_id = set_up(ann, provider)["id"]
    account = Account(email="new@autodealer.example")
    came = came_back(Api(), provider, provider_id, account).json()
    path = f"/api/organizations/current/members/{came['user_id']}"
    assert ann.api.put(path, {"is_active": False}).status_code == 200
    assert came_back(Api(), provider, provider_id, account).status_code == 400  # 001: inactive.
    assert ann.api.delete(path).status_code == 204
    assert came_back(Api(), provider, provider_id, account).status_code == 400
