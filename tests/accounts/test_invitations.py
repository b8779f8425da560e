"""Invitations in the services: a link works once, for its address, in its time; mails really go out."""

from __future__ import annotations

import datetime as dt
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from accounts import invitations, letters, links, members, selectors, services, tokens
from accounts.errors import (
    AccountInactive,
    InvitationClosed,
    InvitationForAnotherAddress,
    InvitationInvalid,
    InvitationNotFound,
    InvitationPending,
    MemberExists,
    OrganizationNotFound,
    QuotaExceeded,
    TokenInvalid,
    WrongCredentials,
)
from accounts.events import MemberJoined
from accounts.models import Invitation, Letter, Membership, Session, UsageQuota, User
from auterity.kernel.access import Actor, Role
from auterity.kernel.errors import InvalidInput, PermissionDenied
from auterity.kernel.events import listen
from integrations.letters import deliver_letter

PASSWORD = "correct horse 9"
JANE: dict[str, str] = {"password": PASSWORD, "first_name": "Jane", "last_name": "Smith"}
_joined: list[MemberJoined] = []


@pytest.fixture
def invited(admin: Actor) -> Invitation:
    Letter.objects.all().delete()  # What the admin got at registration.
    return invitations.invite(actor=admin, email=" Jane@Example.com ", role=Role.MANAGER)


@pytest.fixture
def zoe(db: None, log_in: Any) -> Actor:
    """The admin of another organization."""
    services.register(email="zoe@other.example", password=PASSWORD, first_name="Zoe", last_name="Zed")
    actor: Actor = log_in("zoe@other.example").actor
    return actor


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, settings: Any) -> Path:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return tmp_path / "outbox"


def token_of(invitation: Invitation) -> str:
    return links.invitation_token(Invitation.unscoped.get(pk=invitation.pk))


def mails(outbox: Path) -> list[Any]:
    found = sorted(outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [message_from_bytes(each.read_bytes(), policy=policy.default) for each in found]


@pytest.mark.django_db(transaction=True)
def test_the_invited_person_gets_a_mail_whose_link_makes_an_account(admin, invited, outbox, log_in) -> None:
    assert deliver_letter()
    assert not deliver_letter()
    (mail,) = mails(outbox)
    assert mail["To"] == "jane@example.com"
    assert mail["Subject"] == "Join AutoDealer Inc. on Auterity"
    text = mail.get_body(("plain",)).get_content()
    assert "Ann Ames (ann@example.com) invites you to join AutoDealer Inc. on Auterity as manager." in text
    link = next(line for line in text.splitlines() if line.startswith("http"))
    assert link.startswith(f"{settings.PUBLIC_URL}/invitations/")
    assert link in mail.get_body(("html",)).get_content()
    letter = Letter.objects.get()
    assert (letter.due_at, letter.attempts, letter.problem) == (None, 1, "")
    member = invitations.accept(token=link.rpartition("/")[2], **JANE)
    assert (member.user.email, member.role, member.organization_id) == (
        "jane@example.com",
        "manager",
        admin.organization_id,
    )
    actor = log_in("jane@example.com").actor
    assert (actor.organization_id, actor.role) == (admin.organization_id, Role.MANAGER)


@pytest.mark.django_db
def test_no_link_stands_in_the_database_and_none_can_be_made_from_it(invited) -> None:
    token = token_of(invited)
    row = Invitation.unscoped.get(pk=invited.pk)
    assert token not in str(vars(row)) + str(list(Letter.objects.values()))
    assert row.token_hash == links.hash_of(token)
    assert len(token) == 43
    for guess in (row.token_hash, str(row.pk), "", "x" * 43, token[:-1], "\x00", "é"):
        with pytest.raises(InvitationInvalid):
            invitations.look(guess)


@pytest.mark.django_db
def test_looking_at_a_link_changes_nothing(invited, django_assert_num_queries) -> None:
    before = Invitation.unscoped.values().get()
    with django_assert_num_queries(1):
        shown = invitations.look(token_of_(before))
    assert (shown.organization, shown.email, shown.role) == ("AutoDealer Inc.", "jane@example.com", Role.MANAGER)
    assert Invitation.unscoped.values().get() == before


def token_of_(row: dict[str, Any]) -> str:
    return links.invitation_token(Invitation(**row))


@pytest.mark.django_db
def test_a_link_works_once(invited) -> None:
    token = token_of(invited)
    invitations.accept(token=token, **JANE)
    for again in (JANE, {**JANE, "password": "another horse 9"}, {}):
        with pytest.raises(InvitationInvalid):
            invitations.accept(token=token, **again)
    assert Membership.objects.filter(user__email="jane@example.com").count() == 1
    assert User.objects.get(email="jane@example.com").check_password(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_follow_it_at_once_one_joins(invited, together) -> None:
    results = together(*[partial(invitations.accept, token=token_of(invited), **JANE)] * 5)
    assert sum(isinstance(each, Membership) for each in results) == 1
    assert Membership.objects.filter(user__email="jane@example.com").count() == 1
    assert User.objects.filter(email="jane@example.com").count() == 1


@pytest.mark.django_db
def test_a_revoked_a_replaced_and_an_old_link_are_as_good_as_none(admin, invited) -> None:
    first = token_of(invited)
    invitations.send_again(actor=admin, invitation_id=invited.pk)
    second = token_of(invited)
    assert first != second
    with pytest.raises(InvitationInvalid) as replaced:
        invitations.accept(token=first, **JANE)
    Invitation.unscoped.update(expires_at=timezone.now())
    with pytest.raises(InvitationInvalid) as expired:
        invitations.accept(token=second, **JANE)
    invitations.send_again(actor=admin, invitation_id=invited.pk)
    invitations.revoke(actor=admin, invitation_id=invited.pk)
    invitations.revoke(actor=admin, invitation_id=invited.pk)
    with pytest.raises(InvitationInvalid) as revoked:
        invitations.accept(token=token_of(invited), **JANE)
    assert {each.value.message for each in (replaced, expired, revoked)} == {InvitationInvalid.sentence}
    assert not User.objects.filter(email="jane@example.com").exists()
    with pytest.raises(InvitationClosed):
        invitations.send_again(actor=admin, invitation_id=invited.pk)


@pytest.mark.django_db
def test_seven_days_by_default_and_a_mail_that_came_too_late_is_not_sent(admin, invited, outbox) -> None:
    assert dt.timedelta(days=7) - dt.timedelta(minutes=1) < invited.expires_at - timezone.now() <= dt.timedelta(days=7)
    invitations.revoke(actor=admin, invitation_id=invited.pk)
    assert deliver_letter()
    assert mails(outbox) == []
    assert Letter.objects.get().problem == "Not sent: its cause was gone."


@pytest.mark.django_db(transaction=True)
def test_only_the_newest_link_is_mailed(admin, invited, outbox) -> None:
    invitations.send_again(actor=admin, invitation_id=invited.pk)
    while deliver_letter():
        pass
    (mail,) = mails(outbox)
    assert token_of(invited) in mail.get_body(("plain",)).get_content()


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_cannot_go_out_is_tried_again_and_then_given_up(invited, settings) -> None:
    settings.SMTP_URL, settings.EGRESS_ALLOW = "smtp://127.0.0.1:2525", ["127.0.0.1"]  # Nobody listens there.
    for attempt in range(1, letters.MAX_ATTEMPTS + 1):
        assert deliver_letter()
        letter = Letter.objects.get()
        assert (letter.attempts, letter.sent_at, letter.problem != "") == (attempt, None, True)
        assert (letter.due_at is None) == (attempt == letters.MAX_ATTEMPTS)
        assert not deliver_letter()
        Letter.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    assert letters.try_now(Letter.objects.all()) == 1
    settings.SMTP_URL = ""
    assert deliver_letter()
    assert Letter.objects.get().sent_at is not None


@pytest.mark.django_db
def test_an_account_of_the_address_joins_by_its_password(admin, invited, zoe, log_in) -> None:
    invitations.invite(actor=admin, email="zoe@other.example")
    link = Invitation.unscoped.get(email="zoe@other.example")
    for wrong in ("", "wrong horse 99", "x" * 5000):
        with pytest.raises(WrongCredentials):
            invitations.accept(token=token_of(link), password=wrong)
    invitations.accept(token=token_of(link), password=PASSWORD, first_name="Not", last_name="Her")
    user = User.objects.get(email="zoe@other.example")
    assert (user.first_name, user.memberships.count()) == ("Zoe", 2)
    assert log_in("zoe@other.example").actor.organization_id == zoe.organization_id


@pytest.mark.django_db
def test_a_signed_in_person_joins_only_by_an_invitation_to_their_own_address(admin, invited, zoe) -> None:
    with pytest.raises(InvitationForAnotherAddress):
        invitations.accept(token=token_of(invited), actor=zoe)
    assert Invitation.unscoped.get().accepted_at is None
    mine = invitations.invite(actor=admin, email="zoe@other.example")
    joined = invitations.accept(token=token_of(mine), actor=zoe)
    assert (joined.user_id, joined.organization_id, joined.role) == (zoe.user_id, admin.organization_id, "member")


@pytest.mark.django_db
def test_whoever_joined_is_announced(invited, django_capture_on_commit_callbacks) -> None:
    listen(MemberJoined, _joined.append)
    _joined.clear()
    with django_capture_on_commit_callbacks(execute=True):
        member = invitations.accept(token=token_of(invited), **JANE)
    assert _joined == [MemberJoined(member.user_id, member.organization_id)]


@pytest.mark.django_db
def test_a_switched_off_account_and_a_closed_organization_let_nobody_in(admin, invited, zoe) -> None:
    mine = invitations.invite(actor=admin, email="zoe@other.example")
    User.objects.filter(pk=zoe.user_id).update(is_active=False)
    with pytest.raises(AccountInactive):
        invitations.accept(token=token_of(mine), password=PASSWORD)
    members.Organization.objects.filter(pk=admin.organization_id).update(is_active=False)
    with pytest.raises(InvitationInvalid):
        invitations.accept(token=token_of(invited), **JANE)


@pytest.mark.django_db
def test_a_new_persons_fields_are_checked_and_the_link_stays_good(invited) -> None:
    with pytest.raises(InvalidInput) as refusal:
        invitations.accept(token=token_of(invited), password="password", first_name="", last_name="S")
    assert {each.field for each in refusal.value.problems} == {"password", "first_name"}
    assert invitations.accept(token=token_of(invited), **JANE).role == "manager"


@pytest.mark.django_db
def test_who_belongs_already_or_is_invited_already_is_not_invited_twice(admin, bob, invited) -> None:
    members.member_update(actor=admin, user_id=bob.user_id, is_active=False)
    with pytest.raises(MemberExists):
        invitations.invite(actor=admin, email="BOB@example.com")
    with pytest.raises(InvitationPending) as pending:
        invitations.invite(actor=admin, email="jane@example.com")
    assert pending.value.details == {"invitation_id": str(invited.pk)}
    Invitation.unscoped.update(expires_at=timezone.now())
    again = invitations.invite(actor=admin, email="jane@example.com")
    assert [invitations.status_of(each, timezone.now()) for each in invitations.listed(admin)] == ["open", "revoked"]
    assert list(invitations.listed(admin, status="open")) == [again]


@pytest.mark.django_db
def test_whether_an_address_has_an_account_elsewhere_makes_no_difference_to_who_invites(admin, zoe) -> None:
    known = invitations.invite(actor=admin, email="zoe@other.example")
    unknown = invitations.invite(actor=admin, email="nobody@other.example")
    hidden = {"id", "email", "token_hash", "created_at", "updated_at", "expires_at", "_state"}
    assert {k: v for k, v in vars(known).items() if k not in hidden} == {
        k: v for k, v in vars(unknown).items() if k not in hidden
    }
    with pytest.raises(InvalidInput):
        invitations.invite(actor=admin, email="no address")


@pytest.mark.django_db
def test_nobody_invites_above_themselves_and_members_do_not_invite(admin, bob, log_in) -> None:
    member = log_in("bob@example.com").actor
    for act in (
        partial(invitations.invite, actor=member, email="x@example.com"),
        partial(invitations.revoke, actor=member, invitation_id=uuid4()),
        partial(invitations.send_again, actor=member, invitation_id=uuid4()),
        partial(invitations.listed, member),
    ):
        with pytest.raises(PermissionDenied):
            act()
    members.member_update(actor=admin, user_id=bob.user_id, role=Role.MANAGER)
    manager = log_in("bob@example.com").actor
    with pytest.raises(PermissionDenied):
        invitations.invite(actor=manager, email="x@example.com", role=Role.ADMIN)
    invitations.invite(actor=manager, email="x@example.com", role=Role.MANAGER)
    above = invitations.invite(actor=admin, email="y@example.com", role=Role.ADMIN)
    with pytest.raises(PermissionDenied):
        invitations.send_again(actor=manager, invitation_id=above.pk)


@pytest.mark.django_db
def test_another_organizations_invitation_is_not_there(invited, zoe) -> None:
    for act in (invitations.revoke, invitations.send_again):
        with pytest.raises(InvitationNotFound):
            act(actor=zoe, invitation_id=invited.pk)
    assert list(invitations.listed(zoe)) == []
    assert Invitation.unscoped.get().revoked_at is None


@pytest.mark.django_db
def test_open_invitations_take_a_collaborators_place(admin, invited) -> None:
    UsageQuota.unscoped.create(organization_id=admin.organization_id, collaborators=2)
    with pytest.raises(QuotaExceeded):
        invitations.invite(actor=admin, email="x@example.com")
    invitations.revoke(actor=admin, invitation_id=invited.pk)
    taken = invitations.invite(actor=admin, email="x@example.com")
    Invitation.unscoped.filter(pk=taken.pk).update(expires_at=timezone.now())
    invitations.invite(actor=admin, email="y@example.com")
    with pytest.raises(QuotaExceeded):
        invitations.send_again(actor=admin, invitation_id=taken.pk)


@pytest.mark.django_db
def test_switching_opens_a_second_login_that_lasts_no_longer(admin, zoe, log_in) -> None:
    mine = invitations.invite(actor=admin, email="zoe@other.example", role=Role.VIEWER)
    invitations.accept(token=token_of(mine), actor=zoe)
    assert [each.organization_id for each in selectors.memberships(zoe)] == [zoe.organization_id, admin.organization_id]
    switch = partial(services.switch_organization, actor=zoe, dialect="test", access_seconds=60)
    pair = switch(organization_id=admin.organization_id)
    actor = tokens.authenticate_access(pair.access_token)
    assert (actor.user_id, actor.organization_id, actor.role) == (zoe.user_id, admin.organization_id, Role.VIEWER)
    assert actor.session_id != zoe.session_id
    ends = Session.objects.in_bulk([actor.session_id, zoe.session_id])
    assert ends[actor.session_id].expires_at == ends[zoe.session_id].expires_at
    assert tokens.authenticate_session(zoe.session_id).organization_id == zoe.organization_id
    for nowhere in (uuid4(),):
        with pytest.raises(OrganizationNotFound):
            switch(organization_id=nowhere)
    members.member_update(actor=admin, user_id=zoe.user_id, is_active=False)
    with pytest.raises(OrganizationNotFound):
        switch(organization_id=admin.organization_id)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    assert tokens.authenticate_session(zoe.session_id).user_id == zoe.user_id  # Not the other organization's to end.
    services.logout(actor=zoe)
    with pytest.raises(TokenInvalid):
        switch(organization_id=admin.organization_id)


@pytest.mark.django_db
def test_a_removed_member_is_out_and_may_be_invited_anew(admin, bob, log_in) -> None:
    pair = log_in("bob@example.com")
    members.member_remove(actor=admin, user_id=bob.user_id)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(pair.access_token)
    with pytest.raises(AccountInactive):
        log_in("bob@example.com")
    back = invitations.invite(actor=admin, email="bob@example.com", role=Role.VIEWER)
    invitations.accept(token=token_of(back), password=PASSWORD)
    assert log_in("bob@example.com").actor.role is Role.VIEWER
