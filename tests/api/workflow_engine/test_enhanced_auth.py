"""`/api/v1/enhanced-auth` and `/api/v1/enhanced`: logins judged by risk, finished, looked at, and asked beforehand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import links, policy_changes, proofs
from accounts.models import Letter, LetterKind, LoginAttempt, Session, TrustedDevice, User
from audit.models import AuditEvent
from tests.accounts.authenticator import App, enable
from tests.api.envelopes import data_of, refused
from tests.api.graphs import chain
from tests.api.people import PASSWORD, Api, Person
from tests.api.workflow_engine.browsers import Browser

pytestmark = pytest.mark.django_db

LOGIN = "/api/v1/enhanced-auth/advanced/login"
VALIDATE = "/api/v1/enhanced-auth/session/validate"
STATUS = "/api/v1/enhanced-auth/security/status"
FACTOR = "/api/v1/enhanced/multi-factor"
INFO = "/api/v1/enhanced/session/info"
CHECK = "/api/v1/enhanced/security/check"
LAPTOP = {"fingerprint": "laptop-7b1f0a52", "name": "Work laptop"}
EMPTY = ("access_token", "refresh_token", "expires_in", "session_id", "user_id", "role")


def log_in(person: Person, **more: Any) -> Any:
    return Api().post(LOGIN, {"username": person.email, "password": PASSWORD, "device": LAPTOP, **more})


@pytest.fixture
def app(ann: Person) -> App:
    """Ann's, set up a while ago."""
    return enable(ann.actor, now=timezone.now() - timedelta(minutes=5))[0]


@pytest.fixture
def waiting(ann: Person, app: App) -> str:
    """The mfa_token of a login of Ann's."""
    token: str = data_of(log_in(ann))["mfa"]["mfa_token"]
    return token


def test_a_login_that_is_like_the_others_is_let_in_and_says_how_it_was_judged(ann: Person) -> None:
    found = data_of(log_in(ann, trust_device=True))
    assert found["decision"] == "allow"
    assert "csrf_token" not in found
    assert found["mfa"] == {"required": False, "mfa_token": None, "methods": [], "expires_at": None}
    assert 0 <= found["risk"]["score"] < found["risk"]["thresholds"]["challenge"]
    assert len(found["risk"]["factors"]) == 8
    assert Api(found["access_token"]).get("/api/v1/auth/me").status_code == 200
    assert (found["role"], found["user_id"]) == ("admin", str(ann.actor.user_id))
    assert TrustedDevice.objects.get().name == "Work laptop"
    stored = LoginAttempt.objects.filter(outcome="success").latest("id")
    assert stored.risk_score == found["risk"]["score"]


def test_a_second_factor_that_is_on_is_always_asked_for(ann: Person, app: App) -> None:
    before = Session.objects.count()
    found = data_of(log_in(ann, trust_device=True))
    assert found["decision"] == "challenge"
    assert [found[name] for name in EMPTY] == [None] * 6
    assert found["mfa"]["required"] is True
    assert found["mfa"]["methods"] == ["totp", "backup_code"]
    assert Session.objects.count() == before
    assert not TrustedDevice.objects.exists()
    assert data_of(log_in(ann, totp_code=app.code()))["decision"] == "allow"


def test_a_login_unlike_the_others_is_challenged_and_one_even_less_is_refused(ann: Person) -> None:
    policy_changes.change(actor=ann.actor, changes={"risk_challenge": 5, "risk_block": 101})
    found = data_of(log_in(ann, device={"fingerprint": "never seen before"}))
    assert (found["decision"], found["mfa"]["methods"]) == ("challenge", ["email_code"])
    policy_changes.change(actor=ann.actor, changes={"risk_challenge": 5, "risk_block": 6})
    error = refused(log_in(ann, device={"fingerprint": "another one again"}), 403, "ERR_403_RISK_BLOCKED")
    assert "factors" not in error["details"]
    assert error["details"]["level"] == "critical"


def test_wrong_credentials_tell_no_risk(ann: Person) -> None:
    answer = Api().post(LOGIN, {"username": ann.email, "password": "wrong", "device": LAPTOP})
    assert refused(answer, 401, "ERR_401_INVALID_CREDENTIALS")["details"] == {}


def test_a_waiting_login_is_finished_by_a_code_once(ann: Person, app: App, waiting: str) -> None:
    wrong = Api().post(FACTOR, {"method": "totp", "mfa_token": waiting, "code": app.wrong()})
    refused(wrong, 401, "ERR_401_MFA_INVALID")
    body = {"method": "totp", "mfa_token": waiting, "code": app.code(), "trust_device_days": 30}
    found = data_of(Api().post(FACTOR, body))
    assert found["verified"] is True
    assert found["trusted_until"] is not None
    assert Api(found["access_token"]).get("/api/v1/auth/me").status_code == 200
    assert Session.objects.get(pk=found["session_id"]).factors == ["password", "totp"]
    again = Api().post(FACTOR, body | {"code": app.code(steps=1)})
    refused(again, 401, "ERR_401_MFA_TOKEN_INVALID")


def test_five_wrong_codes_destroy_the_token(ann: Person, app: App, waiting: str) -> None:
    body = {"method": "totp", "mfa_token": waiting, "code": app.wrong()}
    codes = [Api().post(FACTOR, body).json()["error"]["code"] for _ in range(5)]
    assert codes == ["ERR_401_MFA_INVALID"] * 4 + ["ERR_429_MFA_ATTEMPTS"]
    answer = Api().post(FACTOR, body | {"code": app.code()})
    assert answer.status_code in (401, 429)
    assert b"access_token" not in answer.content


@pytest.mark.parametrize("method", ["email_code", "webauthn"])
def test_a_factor_that_the_account_does_not_have_is_none(ann: Person, waiting: str, method: str) -> None:
    answer = Api().post(FACTOR, {"method": method, "mfa_token": waiting, "code": "123456"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("ERR_400_METHOD_UNAVAILABLE", "ERR_400_VALIDATION")


@pytest.mark.parametrize("token", [None, "garbage", "access"])
def test_without_a_waiting_login_or_a_bearer_there_is_nothing_to_do(ann: Person, app: App, token: str | None) -> None:
    given = ann.tokens.access_token if token == "access" else token
    body = {"method": "totp", "code": app.code()} | ({"mfa_token": given} if given else {})
    refused(Api().post(FACTOR, body), 401, "ERR_401_MFA_TOKEN_INVALID")


def test_a_mailed_code_finishes_the_login_of_whoever_has_set_up_nothing(ann: Person) -> None:
    policy_changes.change(actor=ann.actor, changes={"risk_challenge": 1})
    token = data_of(log_in(ann, device={"fingerprint": "never seen before"}))["mfa"]["mfa_token"]
    sent = data_of(Api().post(FACTOR, {"method": "email_code", "mfa_token": token, "action": "send_code"}))
    assert (sent["verified"], sent["code_sent_to"]) == (False, "a***@example.com")
    letter = Letter.objects.filter(recipient=ann.email, kind=LetterKind.EMAIL_CODE).latest("id")
    proofs.make(letter)
    code = links.mail_code(letter.pk)
    wrong = {"method": "email_code", "mfa_token": token, "code": "000000" if code != "000000" else "111111"}
    refused(Api().post(FACTOR, wrong), 401, "ERR_401_MFA_INVALID")
    again = data_of(Api().post(FACTOR, {"method": "email_code", "mfa_token": token, "action": "send_code"}))
    assert (sent["attempts_left"], again["attempts_left"]) == (5, 4)
    found = data_of(Api().post(FACTOR, {"method": "email_code", "mfa_token": token, "code": code}))
    assert found["access_token"]


def test_with_a_bearer_a_code_makes_the_login_fresh(ann: Person, app: App) -> None:
    Session.objects.update(fresh_at=None)
    found = data_of(ann.api.post(FACTOR, {"method": "totp", "code": app.code()}))
    assert found["fresh_until"] is not None
    assert found["access_token"] is None


def test_a_browser_steps_up_with_its_csrf_token_only(ann: Person) -> None:
    browser = Browser()
    browser.log_in(ann.email)
    app, _ = enable(ann.actor, now=timezone.now() - timedelta(minutes=5))
    good, browser.csrf = browser.csrf, ""
    code = app.code()
    refused(browser.call("POST", FACTOR, {"method": "totp", "code": code}), 403, "ERR_403_CSRF")
    browser.csrf = good
    assert data_of(browser.call("POST", FACTOR, {"method": "totp", "code": code}))["fresh_until"]


def test_validate_tells_what_changed_and_renews_when_asked(ann: Person) -> None:
    found = data_of(log_in(ann))
    client = Api(found["access_token"])
    shown = data_of(client.post(VALIDATE, {}))
    assert (shown["valid"], shown["renewed"], shown["bound_to_device"], shown["anomalies"]) == (True, False, True, [])
    assert 3500 < shown["seconds_left"] <= 3600
    moved = data_of(client.post(VALIDATE, {}, User_Agent="Another/1.0"))
    assert [each["code"] for each in moved["anomalies"]] == ["user_agent_changed"]
    new = data_of(client.post(VALIDATE, {"renew": True, "refresh_token": found["refresh_token"]}))
    assert (new["renewed"], new["session_id"]) == (True, found["session_id"])
    assert new["refresh_token"] not in (None, found["refresh_token"])
    assert Api(new["access_token"]).get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize("sent", ["garbage", "another login's"])
def test_another_refresh_token_renews_nothing(ann: Person, otto: Person, sent: str) -> None:
    token = otto.tokens.refresh_token if sent == "another login's" else sent
    answer = ann.api.post(VALIDATE, {"renew": True, "refresh_token": token})
    refused(answer, 401, "ERR_401_REFRESH_INVALID")
    assert otto.api.get("/api/v1/auth/me").status_code == 200


def test_a_bound_login_ends_on_another_device(ann: Person) -> None:
    client = Api(data_of(log_in(ann))["access_token"])
    assert data_of(client.post(VALIDATE, {"device_fingerprint": LAPTOP["fingerprint"]}))["valid"] is True
    refused(client.post(VALIDATE, {"device_fingerprint": "a thief's phone"}), 401, "ERR_401_DEVICE_MISMATCH")
    refused(client.post(VALIDATE, {}), 401, "ERR_401_SESSION_REVOKED")
    refused(client.get(INFO), 401, "ERR_401_SESSION_REVOKED")


def test_the_status_is_counted_from_what_there_is(ann: Person, app: App) -> None:
    Api().post("/api/auth/login", {"email": ann.email, "password": "wrong"})
    found = data_of(ann.api.get(STATUS))
    assert found["totp"] == {"enabled": True, "backup_codes_remaining": 10}
    assert [each["current"] for each in found["sessions"]] == [True]
    assert found["failed_logins_24h"] == 1
    assert found["recent_logins"][0]["success"] is False
    advice = {each["code"]: each["impact"] for each in found["recommendations"]}
    assert advice == {"verify_email": 15, "add_passkey": 20}
    assert found["score"] == 100 - sum(advice.values())
    User.objects.filter(pk=ann.actor.user_id).update(email_verified_at=timezone.now())
    assert data_of(ann.api.get(STATUS))["score"] == found["score"] + 15


def test_the_login_at_hand_is_described(ann: Person) -> None:
    first = data_of(log_in(ann, trust_device=True))
    found = data_of(Api(first["access_token"]).get(INFO))
    assert found["auth_methods"] == ["password"]
    assert found["device"]["name"] == "Work laptop"
    assert found["device"]["trusted"] is True
    assert found["risk"] == first["risk"]
    assert found["other_sessions"] == 1
    assert found["websocket_connections"] == 0
    assert found["fresh_until"] is not None
    assert "workflow:read" in found["permissions"]


@pytest.mark.parametrize(
    ("who", "action", "missing"),
    [
        ("ann", "change_policy", []),
        ("viewer", "change_policy", ["role"]),
        ("viewer", "execute_workflow", ["role"]),
        ("member", "execute_workflow", []),
        ("member", "manage_users", ["role"]),
        ("viewer", "export_data", []),
    ],
)
def test_a_check_answers_as_the_action_would(
    request: pytest.FixtureRequest, who: str, action: str, missing: list[str]
) -> None:
    person: Person = request.getfixturevalue(who)
    found = data_of(person.api.post(CHECK, {"action": action}))
    assert (found["allowed"], found["missing"]) == (not missing, missing)
    assert found["step_up"]["required"] is False
    stored = AuditEvent.objects.of(person.actor).filter(event_type="security.action.checked").latest("id")
    assert stored.details["check_id"] == found["check_id"]


def test_an_old_login_is_told_how_to_become_fresh(ann: Person) -> None:
    Session.objects.update(fresh_at=timezone.now() - timedelta(minutes=11))
    found = data_of(ann.api.post(CHECK, {"action": "delete_account"}))
    assert (found["allowed"], found["missing"]) == (False, ["fresh_login"])
    assert found["step_up"] == {"required": True, "methods": ["email_code"], "path": FACTOR}


def test_a_check_is_about_what_one_can_see(ann: Person, otto: Person) -> None:
    workflow = ann.api.made("/api/workflows", chain("a"))
    body = {"action": "execute_workflow", "resource_id": workflow["id"]}
    assert data_of(ann.api.post(CHECK, body))["allowed"] is True
    refused(otto.api.post(CHECK, body), 404, "ERR_404_NOT_FOUND")
    person = {"action": "manage_users", "resource_id": str(ann.actor.user_id)}
    refused(otto.api.post(CHECK, person), 404, "ERR_404_NOT_FOUND")
    refused(ann.api.post(CHECK, {"action": "fly"}), 400, "ERR_400_VALIDATION")
