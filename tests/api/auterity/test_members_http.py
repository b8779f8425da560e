"""The organization, its members and its invitations over HTTP, as contract `auterity/organization.yaml` has them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts import links
from accounts.models import Invitation, Membership, Organization, User
from auterity.kernel.access import Role
from tests.api.people import PASSWORD, Api, Person, colleague, logged_in, refusal
from tests.api.shapes import wrong

pytestmark = pytest.mark.django_db

CURRENT = "/api/organizations/current"
MEMBERS = f"{CURRENT}/members"
INVITATIONS = f"{CURRENT}/invitations"
ACCEPT = "/api/invitations/accept"
ORGANIZATION = {"id": "uuid", "name": "string", "created_at": "datetime", "updated_at": "datetime"}
MEMBER = {
    "id": "uuid", "email": "email", "first_name": "string", "last_name": "string", "roles": ["string"],
    "is_active": "boolean", "created_at": "datetime",
}  # fmt: skip
SECOND = {
    "email": "second@example.com",
    "password": "secure_password",
    "first_name": "Jane",
    "last_name": "Smith",
    "roles": ["user"],
}
JANE = {"password": PASSWORD, "first_name": "Jane", "last_name": "Smith"}


def token_of(invitation: dict[str, Any]) -> str:
    return links.invitation_token(Invitation.unscoped.get(pk=invitation["id"]))


# -- the organization ------------------------------------------------------------------------------------------------


def test_everybody_reads_the_organization_and_its_admin_renames_it(ann: Person, viewer: Person) -> None:
    body = viewer.api.get(CURRENT).json()
    assert wrong(body, ORGANIZATION) == []
    assert body["name"] == "AutoDealer Inc."
    refusal(viewer.api.put(CURRENT, {"name": "Mine"}), 403, "AUTH_003")
    renamed = ann.api.put(CURRENT, {"name": " AutoDealer Group "})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "AutoDealer Group")
    assert viewer.api.get(CURRENT).json()["name"] == "AutoDealer Group"
    for name, code in (("", "VAL_002"), ("x" * 201, "VAL_001"), ("a\u0007b", "VAL_003")):
        assert refusal(ann.api.put(CURRENT, {"name": name}), 400, code)["details"]["field"] == "name"
    assert ann.api.put(CURRENT, {"name": ""}, API_Version="2025-08-08").status_code == 422
    assert Organization.objects.get(pk=ann.actor.organization_id).name == "AutoDealer Group"


# -- members ---------------------------------------------------------------------------------------------------------


def test_an_admin_adds_a_member_who_is_listed_and_can_log_in(ann: Person) -> None:
    added = ann.api.post(MEMBERS, SECOND)
    assert added.status_code == 201
    assert wrong(added.json(), MEMBER) == []
    assert (added.json()["roles"], added.json()["role"]) == (["user"], "member")
    listed = ann.api.get(MEMBERS).json()
    assert wrong(listed, {"members": [MEMBER], "total": "integer", "page": "integer", "page_size": "integer"}) == []
    assert [each["email"] for each in listed["members"]] == ["ann@example.com", "second@example.com"]
    login = {"email": SECOND["email"], "password": SECOND["password"]}
    assert Api().post("/api/auth/login", login).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"email": "ann@example.com"}, 400, "VAL_001"),
        ({"email": "x"}, 400, "VAL_003"),
        ({"password": "password"}, 400, "VAL_001"),
        ({"first_name": ""}, 400, "VAL_002"),
        ({"roles": ["owner"]}, 400, "VAL_001"),
        ({"roles": []}, 400, "VAL_002"),
    ],
)
def test_a_member_who_cannot_be_is_not_added(ann: Person, change: dict[str, Any], status: int, code: str) -> None:
    refusal(ann.api.post(MEMBERS, {**SECOND, **change}), status, code)
    assert User.objects.count() == 1


def test_members_are_paged_searched_and_filtered(ann: Person) -> None:
    for number in range(12):
        colleague(ann, f"person{number:02}@example.com", Role.VIEWER if number % 2 else Role.MEMBER)
    page = ann.api.get(f"{MEMBERS}?page=2&page_size=5").json()
    assert (page["total"], page["page"], page["page_size"], page["total_pages"], len(page["members"])) == (
        13,
        2,
        5,
        3,
        5,
    )
    assert ann.api.get(f"{MEMBERS}?search=PERSON0").json()["total"] == 10
    assert ann.api.get(f"{MEMBERS}?search=bob%20person11").json()["total"] == 1
    assert ann.api.get(f"{MEMBERS}?search=%25").json()["total"] == 0
    assert ann.api.get(f"{MEMBERS}?role=viewer&search=person0").json()["total"] == 5
    assert {each["role"] for each in ann.api.get(f"{MEMBERS}?role=user").json()["members"]} == {"member"}
    refusal(ann.api.get(f"{MEMBERS}?role=owner"), 400, "VAL_001")
    refusal(ann.api.get(f"{MEMBERS}?page_size=101"), 400, "VAL_001")


def test_a_new_role_ends_the_members_tokens_at_once(ann: Person, member: Person) -> None:
    path = f"{MEMBERS}/{member.actor.user_id}"
    assert ann.api.put(path, {"roles": ["user"]}).json()["role"] == "member"
    assert member.api.get(CURRENT).status_code == 200
    changed = ann.api.put(path, {"roles": ["user", "manager"]}).json()
    assert (changed["role"], changed["roles"]) == ("manager", ["user", "manager"])
    refusal(member.api.get(CURRENT), 401, "AUTH_001")
    again = logged_in(member.email)
    assert "member:invite" in again.api.get("/api/auth/me").json()["permissions"]
    assert ann.api.put(path, {"is_active": False}).json()["is_active"] is False
    refusal(again.api.get(CURRENT), 401, "AUTH_001")
    login = {"email": member.email, "password": PASSWORD}
    refusal(Api().post("/api/auth/login", login), 400, "AUTH_004")
    assert ann.api.put(path, {"is_active": True}).json()["is_active"] is True
    assert Api().post("/api/auth/login", login).status_code == 200


def test_the_last_admin_stays_and_a_removed_member_is_gone(ann: Person, member: Person) -> None:
    own = f"{MEMBERS}/{ann.actor.user_id}"
    for answer in (
        ann.api.put(own, {"is_active": False}),
        ann.api.put(own, {"roles": ["user"]}),
        ann.api.delete(own),
    ):
        refusal(answer, 409, "RES_002")
    assert ann.api.delete(f"{MEMBERS}/{member.actor.user_id}").status_code == 204
    refusal(member.api.get(CURRENT), 401, "AUTH_001")
    refusal(ann.api.get(f"{MEMBERS}/{member.actor.user_id}"), 404, "RES_001")
    assert User.objects.filter(email=member.email).exists()
    colleague(ann, "second-admin@example.com", Role.ADMIN)
    assert ann.api.delete(own).status_code == 204
    assert Membership.objects.filter(role="admin").count() == 1


def test_who_may_not_manage_changes_nobody(ann: Person, member: Person, otto: Person) -> None:
    path = f"{MEMBERS}/{ann.actor.user_id}"
    for answer in (
        member.api.put(path, {"is_active": False}),
        member.api.put(f"{MEMBERS}/{member.actor.user_id}", {"roles": ["admin"]}),
        member.api.delete(path),
        member.api.post(MEMBERS, SECOND),
        member.api.post(INVITATIONS, {"email": "x@example.com"}),
        member.api.get(INVITATIONS),
    ):
        refusal(answer, 403, "AUTH_003")
    for answer in (
        otto.api.get(path),
        otto.api.put(path, {"is_active": False}),
        otto.api.delete(path),
        ann.api.put(f"{MEMBERS}/{uuid4()}", {"is_active": False}),
    ):
        refusal(answer, 404, "RES_001")
    assert Membership.objects.filter(is_active=True).count() == 3


# -- invitations -----------------------------------------------------------------------------------------------------


def test_an_invitation_from_sending_to_joining(ann: Person) -> None:
    sent = ann.api.post(INVITATIONS, {"email": "Jane@Example.com", "role": "manager"})
    assert sent.status_code == 201
    made = sent.json()
    assert (made["email"], made["role"], made["status"], made["invited_by"]) == (
        "jane@example.com", "manager", "open", "ann@example.com",
    )  # fmt: skip
    token = token_of(made)
    assert token not in sent.content.decode() + ann.api.get(INVITATIONS).content.decode()
    joined = Api().post(ACCEPT, {"token": token, **JANE})
    assert joined.status_code == 201
    assert wrong(joined.json()["member"], MEMBER) == []
    assert (joined.json()["organization_name"], joined.json()["member"]["role"]) == ("AutoDealer Inc.", "manager")
    assert logged_in("jane@example.com").api.get(CURRENT).json()["name"] == "AutoDealer Inc."
    refusal(Api().post(ACCEPT, {"token": token, **JANE}), 404, "RES_001")
    (listed,) = ann.api.get(f"{INVITATIONS}?status=accepted").json()["invitations"]
    assert (listed["id"], listed["status"]) == (made["id"], "accepted")
    assert ann.api.get(f"{INVITATIONS}?status=open").json()["total"] == 0
    refusal(ann.api.delete(f"{INVITATIONS}/{made['id']}"), 409, "RES_002")


def test_one_answer_for_every_link_that_does_not_work(ann: Person) -> None:
    made = ann.api.made(INVITATIONS, {"email": "jane@example.com"})
    old = token_of(made)
    assert ann.api.post(f"{INVITATIONS}/{made['id']}/resend").status_code == 200
    replaced = refusal(Api().post(ACCEPT, {"token": old, **JANE}), 404, "RES_001")["message"]
    assert ann.api.delete(f"{INVITATIONS}/{made['id']}").status_code == 204
    revoked = refusal(Api().post(ACCEPT, {"token": token_of(made), **JANE}), 404, "RES_001")["message"]
    invented = refusal(Api().post(ACCEPT, {"token": "x" * 43, **JANE}), 404, "RES_001")["message"]
    assert replaced == revoked == invented
    assert not User.objects.filter(email="jane@example.com").exists()


def test_a_signed_in_person_joins_and_switches(ann: Person, otto: Person) -> None:
    made = ann.api.made(INVITATIONS, {"email": otto.email, "role": "viewer"})
    refusal(Api("garbage").post(ACCEPT, {"token": token_of(made)}), 401, "AUTH_001")
    refusal(Api().post(ACCEPT, {"token": token_of(made), "password": "not the password"}), 401, "AUTH_001")
    refusal(ann.api.post(ACCEPT, {"token": token_of(made)}), 403, "AUTH_003")
    assert otto.api.post(ACCEPT, {"token": token_of(made)}).status_code == 201
    own = otto.api.get("/api/organizations").json()
    assert [(each["name"], each["role"], each["current"]) for each in own["organizations"]] == [
        ("Other Motors", "admin", True),
        ("AutoDealer Inc.", "viewer", False),
    ]
    switched = otto.api.post("/api/auth/switch-organization", {"organization_id": str(ann.actor.organization_id)})
    assert switched.status_code == 200
    assert switched.headers["Cache-Control"] == "no-store"
    there = Api(switched.json()["access_token"])
    assert there.get(CURRENT).json()["name"] == "AutoDealer Inc."
    refusal(there.put(CURRENT, {"name": "Mine"}), 403, "AUTH_003")
    assert otto.api.get(CURRENT).json()["name"] == "Other Motors"
    assert there.post("/api/auth/refresh", {"refresh_token": switched.json()["refresh_token"]}).status_code == 200
    refusal(
        ann.api.post("/api/auth/switch-organization", {"organization_id": str(otto.actor.organization_id)}),
        404, "RES_001",
    )  # fmt: skip


def test_another_organizations_invitation_is_unknown(ann: Person, otto: Person) -> None:
    made = ann.api.made(INVITATIONS, {"email": "jane@example.com"})
    refusal(otto.api.delete(f"{INVITATIONS}/{made['id']}"), 404, "RES_001")
    refusal(otto.api.post(f"{INVITATIONS}/{made['id']}/resend"), 404, "RES_001")
    assert otto.api.get(INVITATIONS).json()["total"] == 0


def test_the_same_key_invites_once(ann: Person) -> None:
    body = {"email": "jane@example.com", "role": "user"}
    first = ann.api.made(INVITATIONS, body, Idempotency_Key="k")
    assert ann.api.made(INVITATIONS, body, Idempotency_Key="k") == first
    assert Invitation.unscoped.count() == 1
    conflict = refusal(ann.api.post(INVITATIONS, body), 409, "RES_002")
    assert conflict["details"] == {"invitation_id": first["id"]}


# -- the page --------------------------------------------------------------------------------------------------------


def test_opening_the_page_decides_nothing_and_sending_it_joins(ann: Person, client: Client) -> None:
    ann.api.put(CURRENT, {"name": "Cars <b>& more"})
    made = ann.api.made(INVITATIONS, {"email": "jane@example.com"})
    path = f"/invitations/{token_of(made)}"
    for opened in (client.get(path), client.head(path), client.get(f"{path}?password=x")):
        assert opened.status_code == 200
        assert opened.headers["Cache-Control"] == "no-store"
    page = client.get(path).content.decode()
    assert "Join Cars &lt;b&gt;&amp; more" in page
    assert "jane@example.com" in page
    assert not User.objects.filter(email="jane@example.com").exists()
    poor = client.post(path, {**JANE, "password": "short"})
    assert (poor.status_code, "too short" in poor.content.decode(), "Jane" in poor.content.decode()) == (
        400,
        True,
        True,
    )
    assert client.post(path, JANE).status_code == 201
    assert logged_in("jane@example.com").actor.organization_id == ann.actor.organization_id
    gone = client.get(path)
    assert (gone.status_code, "not valid" in gone.content.decode()) == (404, True)
    assert client.post(path, JANE).status_code == 404


def test_on_the_page_an_account_of_the_address_proves_itself(ann: Person, otto: Person, client: Client) -> None:
    path = f"/invitations/{token_of(ann.api.made(INVITATIONS, {'email': otto.email}))}"
    assert client.post(path, {**JANE, "password": "not the password"}).status_code == 400
    assert client.post(path, {"password": PASSWORD}).status_code == 201
    assert Membership.objects.filter(user__email=otto.email).count() == 2
