"""Devices and apps of their own for plays of native clients."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.contract.caller import Caller
from tests.contract.logins import Logins
from tests.identity.authenticator import b64


class NativeLogins(Logins):
    def a_device_key(self) -> ed25519.Ed25519PrivateKey:
        return ed25519.Ed25519PrivateKey.generate()

    def a_public_key(self) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(self.value("device_key").public_key().public_bytes_raw())}

    def set_machine(self) -> None:
        """A device that somebody registered, with a challenge to answer."""
        self.set_somebody()
        body = {"name": "Laptop", "platform": "linux", "public_key": self.value("public_key")}
        made = self.who.made("/native/auth/device/register", body)["data"]
        self.known |= {"device_id": made["device_id"], "challenge": made["challenge"]}
        self.known["challenge_id"] = made["challenge"]["challenge_id"]

    def set_revoked_machine(self) -> None:
        self.set_machine()
        path = f"/native/auth/device/{self.known['device_id']}"
        self.who.sure(self.who.call("DELETE", path), f"DELETE {path}")

    def set_key_of_another(self) -> None:
        """Somebody with the key of somebody else's device."""
        self.set_machine()
        self.set_somebody()

    def a_device_signature(self) -> str:
        said = f"{self.known['challenge']['nonce']}{self.known['device_id']}{self.known['challenge_id']}"
        return b64(self.value("device_key").sign(said.encode()))

    def set_installed(self) -> None:
        """An app of somebody's, registered."""
        self.set_somebody()
        app = {"client_name": "Auterity for Linux", "platform": "linux", "app_version": "1.2.0"}
        made = self.nobody.made("/native/auth/register", app)["data"]
        self.known |= {name: made[name] for name in ("client_id", "client_secret")}

    def set_native_login(self) -> None:
        self.set_installed()
        self._native_login()

    def _native_login(self) -> None:
        names = ("client_id", "client_secret", "password")
        body = {name: self.known[name] for name in names} | {"username": self.known["email"]}
        self.known["refresh_token"] = self.nobody.made("/native/auth/login", body)["data"]["refresh_token"]

    def set_native_rotated(self) -> None:
        """A refresh token of an app that was used."""
        self.set_native_login()
        body = {name: self.known[name] for name in ("client_id", "refresh_token")}
        self.nobody.made("/native/auth/refresh", body)

    def set_background(self) -> None:
        """An app's background work, which may read."""
        self.set_native_login()
        body = {name: self.known[name] for name in ("client_id", "refresh_token")} | {"scopes": ["data.read"]}
        token = self.nobody.made("/native/api/authenticate", body)["data"]["api_token"]
        self.who = Caller(self.world.client, token)

    def set_of_a_viewer(self) -> None:
        """The same app's login of somebody who may only read."""
        self.set_installed()
        self.known["email"] = str(self.world.people["viewer"]["email"])
        self.known["password"] = str(self.world.people["password"])
        self._native_login()
