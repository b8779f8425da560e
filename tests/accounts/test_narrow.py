"""Tokens for some scopes of a login: what they open, and that they open nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import narrow, services, tokens
from accounts.errors import NotAuthenticated, TokenExpired, TokenInvalid
from accounts.models import Membership
from accounts.tokens import TokenKind
from api import needs
from auterity.kernel.access import Actor, Permission, Role, Scope, require_scope
from auterity.kernel.errors import PermissionDenied, ScopeDenied
from tests.api.envelopes import refused
from tests.api.people import Api, Person, colleague, founder, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(db: None) -> Person:
    return founder("ann@example.com", "AutoDealer Inc.")


def acting(token: str) -> Actor:
    return tokens.standing(tokens.read(token, TokenKind.NARROW), now=timezone.now()).actor


def test_a_token_has_the_scopes_that_were_asked_for(ann: Person) -> None:
    made = narrow.issue(actor=ann.actor, scopes=[Scope.UPLOAD])
    actor = acting(made.token)
    assert (made.scopes, actor.scopes, actor.session_id) == ([Scope.UPLOAD], {Scope.UPLOAD}, ann.actor.session_id)
    require_scope(actor, Scope.UPLOAD)
    with pytest.raises(ScopeDenied):
        require_scope(actor, Scope.DATA_READ)
    assert made.expires_in == 900
    assert acting(narrow.issue(actor=ann.actor).token).scopes == set(Scope)


def test_only_what_names_a_scope_takes_it(ann: Person) -> None:
    reader = acting(narrow.issue(actor=ann.actor, scopes=[Scope.DATA_READ]).token)
    needs.check(reader, Scope.DATA_READ)
    needs.check(reader, (Permission.WORKFLOW_READ, Scope.DATA_READ))
    for closed in (
        needs.SIGNED_IN,
        needs.PERSON,
        Permission.WORKFLOW_READ,
        Scope.UPLOAD,
        (Scope.DATA_READ, Scope.UPLOAD),
    ):
        with pytest.raises(ScopeDenied):
            needs.check(reader, closed)
    with pytest.raises(PermissionDenied):
        needs.check(reader, None)
    needs.check(ann.actor, (Scope.DATA_READ, Scope.DATA_WRITE, Scope.UPLOAD))  # A whole login has them all.


def test_no_scope_goes_beyond_the_role_today(ann: Person) -> None:
    viewer = colleague(ann, "viewer@example.com", Role.VIEWER)
    with pytest.raises(ScopeDenied):
        narrow.issue(actor=viewer.actor, scopes=[Scope.DATA_READ, Scope.DATA_WRITE])
    assert narrow.issue(actor=viewer.actor).scopes == [Scope.DATA_READ]
    member = colleague(ann, "member@example.com", Role.MEMBER)
    token = narrow.issue(actor=member.actor).token
    assert acting(token).scopes == set(Scope)
    Membership.objects.filter(user_id=member.actor.user_id).update(role=Role.VIEWER.value)
    assert acting(token).scopes == {Scope.DATA_READ}


def test_it_dies_with_its_login_and_its_time(ann: Person) -> None:
    token = narrow.issue(actor=ann.actor).token
    with pytest.raises(TokenExpired):
        tokens.read(token, TokenKind.NARROW, now=timezone.now() + timedelta(minutes=16))
    services.logout(actor=ann.actor)
    with pytest.raises(TokenInvalid):
        acting(token)


def test_it_buys_nothing(ann: Person) -> None:
    token = narrow.issue(actor=ann.actor).token
    with pytest.raises(NotAuthenticated):
        narrow.issue(actor=acting(token))
    with pytest.raises(TokenInvalid):
        services.refresh(token=token, access_seconds=60)
    with pytest.raises(TokenInvalid):
        tokens.authenticate_access(token)
    with pytest.raises(TokenInvalid):
        tokens.read(ann.tokens.access_token, TokenKind.NARROW)


def test_over_http_it_opens_no_ordinary_door(ann: Person) -> None:
    api = Api(narrow.issue(actor=ann.actor).token)
    refusal(api.get("/api/workflows"), 403, "AUTH_003")
    refusal(api.get("/api/auth/me"), 403, "AUTH_003")
    refused(api.get("/api/v1/enhanced-auth/security/status"), 403, "ERR_403_SCOPE")
    refused(api.post("/api/v1/auth/logout", {}), 403, "ERR_403_SCOPE")
    assert ann.api.get("/api/auth/me").status_code == 200
