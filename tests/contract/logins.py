"""People of their own for plays that change an account: second factors, passkeys, mailed codes, accounts at a provider."""

from __future__ import annotations

import re
import time
import uuid
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlsplit

from tests.accounts.authenticator import App
from tests.contract.caller import Absent, Caller, Unplayable
from tests.contract.world import Scene
from tests.identity.authenticator import Authenticator
from tests.identity.provider import Account

JWT_LOGIN = "/api/v1/auth/jwt/login"
ADVANCED_LOGIN = "/api/v1/enhanced-auth/advanced/login"
MAIL_SECONDS = 30.0


class Logins(Scene):
    # -- somebody new, in an organization of their own --

    def a_email(self) -> str:
        return str(self.world.people["admin"]["email"])

    def a_password(self) -> str:
        return str(self.world.people["password"])

    def a_member_email(self) -> str:
        return str(self.world.people["member"]["email"])

    def a_other_email(self) -> str:
        return str(self.world.people["other"]["email"])

    def a_inactive_email(self) -> str:
        return str(self.world.people["inactive"])

    def a_fresh_email(self) -> str:
        return f"{uuid.uuid4().hex[:12]}@example.com"

    def a_fresh_username(self) -> str:
        return f"u-{uuid.uuid4().hex[:12]}"

    def set_somebody(self) -> None:
        """Who registered with 004 and logged in with 003."""
        self.known |= {"email": self.a_fresh_email(), "password": "secure password 1"}
        self.known["username"] = self.a_fresh_username()
        person = {name: self.known[name] for name in ("email", "username", "password")}
        self.nobody.made("/api/v1/auth/register", person | {"full_name": "Ann Ames"})
        self.set_logged_in()

    def set_logged_in(self) -> None:
        login = self.nobody.made(JWT_LOGIN, {"username": self.value("email"), "password": self.value("password")})
        self.known |= {"login": login, "refresh_token": login["refresh_token"]}
        self.who = Caller(self.world.client, login["access_token"])

    def set_rotated(self) -> None:
        """A refresh token that was used."""
        self.set_somebody()
        self.nobody.made("/api/v1/auth/refresh", {"refresh_token": self.known["refresh_token"]})

    def set_ended(self) -> None:
        """A refresh token of a login that is over."""
        self.set_somebody()
        self.who.made("/api/v1/auth/logout", {})

    def set_locked(self) -> None:
        """Somebody whose password was guessed at, ten times."""
        self.set_somebody()
        for _ in range(10):
            self.nobody.call("POST", JWT_LOGIN, json={"username": self.known["email"], "password": "a wrong one"})

    def set_old_login(self) -> None:
        """A login of more than ten minutes ago."""
        self.who = Caller(self.world.client, self.world.people["stale"]["token"])

    def set_proved(self) -> None:
        """Somebody whose address is theirs."""
        self.set_somebody()
        token = self.mailed(r"/email-verification/(\S+)")
        self.nobody.made("/api/auth/verify-email", {"token": token})

    def browser(self) -> Caller:
        """The stage's person with a login in cookies, which this client keeps until the next play."""
        body = {"username": self.value("email"), "password": self.value("password")}
        asked = {"X-Session-Cookies": "on"}
        login = self.nobody.sure(self.nobody.call("POST", JWT_LOGIN, json=body, headers=asked), "A login by cookies")
        if not self.world.client.cookies:
            raise Absent("cookies of logins go over TLS only here")
        return Caller(self.world.client, headers={"X-CSRF-TOKEN": login["csrf_token"]})

    # -- an authenticator app, whose codes count once each --

    def set_setup(self) -> None:
        """An authenticator that is being set up."""
        self.set_somebody()
        self._begin_app()

    def _begin_app(self) -> None:
        made = self.who.made("/api/v1/2fa/setup", {})["data"]
        self.known |= {"app": App(made["secret"]), "setup_id": made["setup_id"]}

    def set_enrolled(self) -> None:
        """An authenticator that counts, turned on by the code before the present one."""
        self.set_somebody()
        self._enrol()

    def _enrol(self) -> None:
        self._begin_app()
        done = self.who.made("/api/v1/2fa/verify", {"code": self.known["app"].code(steps=-1)})["data"]
        self.known["backup_code"] = done["backup_codes"][0]

    def set_owing(self) -> None:
        """A login that waits for its second factor."""
        self.set_enrolled()
        body = {"username": self.known["email"], "password": self.known["password"]}
        answer = self.nobody.call("POST", JWT_LOGIN, json=body)
        self.known["mfa_token"] = answer.json()["error"]["details"]["mfa_token"]

    def set_compulsory(self) -> None:
        """An organization that wants a second factor of everybody."""
        self.set_enrolled()
        self._policies(mfa_required_roles=["admin", "manager", "member", "viewer"])

    def set_guessed(self) -> None:
        """A login whose second factor was guessed at, four times."""
        self.set_owing()
        for _ in range(4):
            guess = {"method": "totp", "mfa_token": self.known["mfa_token"], "code": self.value("wrong_code")}
            self.nobody.call("POST", "/api/v1/enhanced/multi-factor", json=guess)

    def set_worn_out(self) -> None:
        """A second factor that was guessed at, five times."""
        self.set_enrolled()
        for _ in range(5):
            self.who.call("POST", "/api/v1/2fa/verify", json={"code": self.value("wrong_code")})

    # -- tiers --

    def set_elevated(self) -> None:
        self.set_proved()
        self._enrol()

    def set_granted(self) -> None:
        """A tier that was asked for and granted."""
        self.set_elevated()
        self.who.made("/api/v1/security-tier/upgrade", {"target_tier": "elevated"})

    def set_well_kept(self) -> None:
        """An authenticator with its backup codes, and a passkey."""
        self.set_elevated()
        self._begin_passkey()
        self._finish_passkey()

    def set_upgrading(self) -> None:
        self.set_somebody()
        self.who.made("/api/v1/security-tier/upgrade", {"target_tier": "elevated"})

    def set_reserved_tier(self) -> None:
        self.set_somebody()
        self._policies(maximum_tier_roles=["viewer"])

    def a_code(self) -> str:
        return str(self.known["app"].code())

    def a_wrong_code(self) -> str:
        return str(self.known["app"].wrong())

    # -- what is judged by risk, and mailed --

    def set_risky(self) -> None:
        """Somebody of whom every new device is asked for a code."""
        self.set_somebody()
        self._policies(risk_challenge=1)

    def set_too_risky(self) -> None:
        self.set_somebody()
        self._policies(risk_challenge=5, risk_block=6)

    def set_challenged(self) -> None:
        self.set_risky()
        device = {"fingerprint": "never seen before"}
        body = {"username": self.known["email"], "password": self.known["password"], "device": device}
        self.known["mfa_token"] = self.nobody.made(ADVANCED_LOGIN, body)["data"]["mfa"]["mfa_token"]

    def set_mailed(self) -> None:
        """A code for such a login, on its way."""
        self.set_challenged()
        wish = {"method": "email_code", "action": "send_code", "mfa_token": self.known["mfa_token"]}
        self.nobody.made("/api/v1/enhanced/multi-factor", wish)

    def a_mailed_code(self) -> str:
        return self.mailed(r"^(\d{6})\s*$")

    def set_bound(self) -> None:
        """A login that a device named itself in."""
        self.set_somebody()
        device = {"fingerprint": "laptop-7b1f0a52", "name": "Work laptop"}
        body = {"username": self.known["email"], "password": self.known["password"], "device": device}
        self.who = Caller(self.world.client, self.nobody.made(ADVANCED_LOGIN, body)["data"]["access_token"])

    def set_forgotten(self) -> None:
        self.set_somebody()
        self.nobody.made("/api/v1/auth/forgot-password", {"email": self.known["email"]})

    def a_reset_token(self) -> str:
        return self.mailed(r"/password-reset/(\S+)")

    def mailed(self, wanted: str) -> str:
        """What a mail to the stage's person holds; it comes when the worker has sent it."""
        until = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < until:
            for each in self.world.product.outbox.glob("*.eml"):
                mail = message_from_bytes(each.read_bytes(), policy=policy.default)
                text = mail.get_body(("plain",))
                if self.known["email"] not in str(mail["To"]) or text is None:
                    continue
                found = re.search(wanted, text.get_content(), re.MULTILINE)
                if found:
                    return found[1]
            time.sleep(0.05)
        raise Unplayable(f"no mail with {wanted} came")

    def _policies(self, **changes: Any) -> None:
        path = "/api/organizations/current/policies"
        self.who.sure(self.who.call("PUT", path, json={"policies": changes}), f"PUT {path}")

    # -- passkeys --

    @property
    def _origin(self) -> str:
        return f"http://localhost:{urlsplit(self.world.product.url).port}"

    def set_begun(self) -> None:
        """A passkey that is being registered."""
        self.set_somebody()
        self._begin_passkey()

    def _begin_passkey(self) -> None:
        begun = self.who.made("/api/v1/webauthn/register/begin", {"nickname": "Laptop"})["data"]
        self.known |= {"key": Authenticator(), "challenge_id": begun["challenge_id"]}
        self.known["options"] = begun["public_key"]

    def a_attestation(self) -> dict[str, Any]:
        return self.known["key"].register(self.known["options"], origin=self._origin)

    def a_false_attestation(self) -> dict[str, Any]:
        return self.known["key"].register(self.known["options"], origin="https://evil.example")

    def set_passkey(self) -> None:
        """Somebody with a passkey."""
        self.set_begun()
        self._finish_passkey()

    def _finish_passkey(self) -> None:
        body = {"challenge_id": self.known["challenge_id"], "credential": self.a_attestation()}
        self.who.made("/api/v1/webauthn/register/complete", body)

    def set_ten_passkeys(self) -> None:
        self.set_somebody()
        for _ in range(10):
            self._begin_passkey()
            self._finish_passkey()

    def set_same_passkey(self) -> None:
        """A passkey that is registered already, about to be once more."""
        self.set_passkey()
        key = self.known["key"]
        self._begin_passkey()
        self.known["key"] = key

    def set_asked(self) -> None:
        """A passkey that is asked for."""
        self.set_passkey()
        self._ask_passkey({})

    def set_asked_second(self) -> None:
        """A login that waits for its passkey."""
        self.set_passkey()
        body = {"username": self.known["email"], "password": self.known["password"]}
        self.known["mfa_token"] = self.nobody.call("POST", JWT_LOGIN, json=body).json()["error"]["details"]["mfa_token"]
        self._ask_passkey({"mfa_token": self.known["mfa_token"]})

    def set_asked_here(self) -> None:
        """A passkey that is asked for in a login that goes on."""
        self.set_passkey()
        begun = self.who.made("/api/v1/webauthn/authenticate/begin", {})["data"]
        self.known |= {"challenge_id": begun["challenge_id"], "options": begun["public_key"]}

    def set_cloned(self) -> None:
        """A passkey whose counter is behind what was seen of it."""
        self.set_asked()
        self.known["key"].count = 7
        self._sign_in()
        self._ask_passkey({})
        self.known["key"].count = 2

    def set_used_challenge(self) -> None:
        self.set_asked()
        self._sign_in()

    def _ask_passkey(self, body: dict[str, Any]) -> None:
        begun = self.nobody.made("/api/v1/webauthn/authenticate/begin", body)["data"]
        self.known |= {"challenge_id": begun["challenge_id"], "options": begun["public_key"]}

    def _sign_in(self) -> None:
        body = {"challenge_id": self.known["challenge_id"], "credential": self.a_assertion()}
        self.nobody.made("/api/v1/webauthn/authenticate/complete", body)

    def a_assertion(self) -> dict[str, Any]:
        return self.known["key"].sign(self.known["options"], origin=self._origin)

    def a_false_assertion(self) -> dict[str, Any]:
        return self.known["key"].sign(self.known["options"], origin=self._origin, signature=b"no signature")

    # -- an account at a provider --

    def a_google(self) -> Account:
        name = uuid.uuid4().hex[:12]
        return Account(sub=name, email=f"{name}@example.com")

    def set_returned(self, **query: str) -> None:
        """Somebody who comes back from the provider, where they agreed."""
        way = self.who.read("/api/v1/oauth/google/authorize", **query)["data"]
        self.known |= self.world.google.consent(way["authorization_url"], self.value("google"))

    def set_stranger(self) -> None:
        """The same, of somebody who has no account here."""
        self.who = self.nobody
        self.set_returned()

    def set_linked(self) -> None:
        """Somebody whose account at the provider is linked, with its calendar."""
        self.set_somebody()
        self.set_linking()
        self.who.made("/api/v1/oauth/google/callback", {"code": self.known["code"], "state": self.known["state"]})

    def set_linking(self) -> None:
        self.set_somebody()
        self.set_returned(scopes="calendar,drive")

    def set_coming_again(self) -> None:
        self.set_linked()
        self.set_stranger()

    def set_linked_elsewhere(self) -> None:
        self.set_linked()
        self.set_linking()

    def set_taken_address(self) -> None:
        """A stranger whose address somebody has here."""
        self.known["google"] = Account(sub=uuid.uuid4().hex, email=self.a_email())
        self.set_stranger()

    def set_unproved_address(self) -> None:
        self.known["google"] = Account(sub=uuid.uuid4().hex, email=self.a_fresh_email(), verified=False)
        self.set_stranger()

    def set_false_code(self) -> None:
        self.set_stranger()
        self.known["code"] = "no-code-of-the-provider"
