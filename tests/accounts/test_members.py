from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from accounts import inputs, members, selectors, services, tokens
from accounts.errors import AccountInactive, EmailTaken, LastAdmin, MemberNotFound, TokenInvalid
from accounts.events import RightsChanged, SessionRevoked
from accounts.models import Membership, Session, User
from audit.models import AuditEvent
from auterity.kernel.access import Role
from auterity.kernel.errors import InvalidInput, PermissionDenied

NEW = {"email": "cid@example.com", "password": "correct horse 9", "first_name": "Cid", "last_name": "Cole"}


@pytest.fixture
def stranger(db, log_in):
    """The admin of another organization."""
    services.register(email="zoe@other.example", password="correct horse 9", first_name="Zoe", last_name="Zed")
    return log_in("zoe@other.example").actor


@pytest.mark.django_db
def test_an_admin_adds_a_person_who_can_log_in_with_the_given_role(admin, log_in) -> None:
    member = members.members_add(actor=admin, **NEW, role=Role.MANAGER)
    assert (member.user.email, member.role, member.is_active) == ("cid@example.com", "manager", True)
    actor = log_in("cid@example.com").actor
    assert (actor.organization_id, actor.role) == (admin.organization_id, Role.MANAGER)


@pytest.mark.django_db
def test_an_added_person_is_an_ordinary_member_unless_said_otherwise(admin) -> None:
    assert members.members_add(actor=admin, **NEW).role == "member"


@pytest.mark.django_db
def test_an_added_persons_fields_are_checked_like_a_registration(admin) -> None:
    with pytest.raises(InvalidInput) as refusal:
        members.members_add(actor=admin, email="x", password="x", first_name="", last_name="L")
    assert {problem.field for problem in refusal.value.problems} == {"email", "first_name", "password"}
    with pytest.raises(EmailTaken):
        members.members_add(actor=admin, **{**NEW, "email": "ANN@example.com"})
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.MANAGER])
def test_only_an_admin_manages_people(admin, bob, log_in, role: Role) -> None:
    Membership.objects.filter(pk=bob.pk).update(role=role.value)
    actor = log_in("bob@example.com").actor
    for change in (
        partial(members.members_add, actor=actor, **NEW),
        partial(members.member_update, actor=actor, user_id=actor.user_id, role=Role.ADMIN),
        partial(members.member_update, actor=actor, user_id=admin.user_id, is_active=False),
        partial(members.organization_update, actor=actor, name="Mine"),
    ):
        with pytest.raises(PermissionDenied) as refusal:
            change()
        assert refusal.value.details == {"required": "organization:manage"}
    assert User.objects.count() == 2
    assert Membership.objects.get(pk=bob.pk).role == role.value


@pytest.mark.django_db
def test_a_new_role_ends_the_members_logins_and_counts_from_the_next_one(
    admin, bob, log_in, heard, django_capture_on_commit_callbacks
) -> None:
    pair = log_in("bob@example.com")
    with django_capture_on_commit_callbacks(execute=True):
        changed = members.member_update(actor=admin, user_id=bob.user_id, role=Role.VIEWER)
    assert (changed.role, changed.is_active, changed.user.email) == ("viewer", True, "bob@example.com")
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    with pytest.raises(TokenInvalid):
        services.refresh(token=pair.refresh_token, access_seconds=60)
    assert heard == [
        SessionRevoked(pair.actor.session_id, bob.user_id),
        RightsChanged(bob.user_id, admin.organization_id),
    ]
    again = log_in("bob@example.com")
    assert tokens.authenticate_access(again.access_token).role is Role.VIEWER


@pytest.mark.django_db
def test_a_deactivated_member_is_out_at_once_and_may_come_back(admin, bob, log_in) -> None:
    pair = log_in("bob@example.com")
    members.member_update(actor=admin, user_id=bob.user_id, is_active=False)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_session(pair.actor.session_id)
    with pytest.raises(AccountInactive):
        log_in("bob@example.com")
    members.member_update(actor=admin, user_id=bob.user_id, is_active=True)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    assert log_in("bob@example.com").actor.user_id == bob.user_id


@pytest.mark.django_db
def test_saying_what_is_already_so_ends_nothing(admin, bob, log_in) -> None:
    pair = log_in("bob@example.com")
    members.member_update(actor=admin, user_id=bob.user_id)
    members.member_update(actor=admin, user_id=bob.user_id, role=Role.MEMBER, is_active=True)
    assert tokens.authenticate_access(pair.access_token) == pair.actor


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [{"role": Role.MANAGER}, {"is_active": False}, {"role": Role.ADMIN, "is_active": False}]
)
def test_the_last_active_admin_stays(admin, bob, change) -> None:
    idle = members.members_add(actor=admin, **NEW, role=Role.ADMIN)
    User.objects.filter(pk=idle.user_id).update(is_active=False)
    with pytest.raises(LastAdmin):
        members.member_update(actor=admin, user_id=admin.user_id, **change)
    mine = Membership.objects.get(user_id=admin.user_id)
    assert (mine.role, mine.is_active) == ("admin", True)
    assert Session.objects.get(pk=admin.session_id).revoked_at is None
    members.member_update(actor=admin, user_id=bob.user_id, role=Role.ADMIN)
    members.member_update(actor=admin, user_id=admin.user_id, **change)
    assert Membership.objects.filter(role="admin", is_active=True, user__is_active=True).get().user_id == bob.user_id


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_at_once_leave_one(admin, log_in, together) -> None:
    for number in range(3):
        email = f"dan{number}@example.com"
        dan = members.members_add(actor=admin, **{**NEW, "email": email}, role=Role.ADMIN)
        other = log_in(email).actor
        results = together(
            partial(members.member_update, actor=admin, user_id=dan.user_id, is_active=False),
            partial(members.member_update, actor=other, user_id=admin.user_id, is_active=False),
        )
        assert sorted(type(result).__name__ for result in results) == ["Membership", "PermissionDenied"]
        assert Membership.objects.filter(role="admin", is_active=True).count() == 1
        Membership.objects.filter(user_id=dan.user_id).update(is_active=False)
        Membership.objects.filter(user_id=admin.user_id).update(is_active=True)


@pytest.mark.django_db
def test_another_organizations_people_are_not_there(admin, bob, stranger) -> None:
    for outsider, target in ((stranger, bob.user_id), (admin, stranger.user_id), (admin, uuid4())):
        with pytest.raises(MemberNotFound):
            members.member_update(actor=outsider, user_id=target, role=Role.VIEWER)
        with pytest.raises(MemberNotFound):
            selectors.member(outsider, target)
    assert Membership.objects.get(pk=bob.pk).role == "member"
    assert [member.user.email for member in selectors.members(stranger)] == ["zoe@other.example"]


@pytest.mark.django_db
def test_everybody_of_the_organization_sees_its_people_in_one_query(
    admin, bob, log_in, django_assert_num_queries
) -> None:
    members.member_update(actor=admin, user_id=bob.user_id, role=Role.VIEWER)
    viewer = log_in("bob@example.com").actor
    with django_assert_num_queries(1):
        seen = {(member.user.email, member.role) for member in selectors.members(viewer)}
    assert seen == {("ann@example.com", "admin"), ("bob@example.com", "viewer")}
    assert selectors.member(viewer, bob.user_id).user.first_name == "Bob"


@pytest.mark.django_db
def test_a_renamed_personal_organization_is_a_company(stranger) -> None:
    assert selectors.profile(stranger).company is None
    renamed = members.organization_update(actor=stranger, name="  Zed & Söhne ")
    assert AuditEvent.objects.of(stranger).get(event_type="organization.renamed").details["after"] == "Zed & Söhne"
    assert (renamed.name, selectors.organization(stranger).name) == ("Zed & Söhne", "Zed & Söhne")
    assert selectors.profile(stranger).company == "Zed & Söhne"
    for bad in ("", "  ", "x" * 201, "a\x00b"):
        with pytest.raises(InvalidInput):
            members.organization_update(actor=stranger, name=bad)


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (["user"], Role.MEMBER),
        (["member"], Role.MEMBER),
        (["viewer"], Role.VIEWER),
        (["user", "admin"], Role.ADMIN),
        (["manager", "viewer", "user"], Role.MANAGER),
    ],
)
def test_the_highest_of_the_named_roles_counts(names: list[str], role: Role) -> None:
    assert inputs.role(names) is role


@pytest.mark.parametrize("names", [[], ["owner"], ["user", "ADMIN"], [""]])
def test_an_unknown_role_or_none_is_refused(names: list[str]) -> None:
    with pytest.raises(InvalidInput):
        inputs.role(names)
