"""E-mail through an SMTP server (RFC 5321): plain, STARTTLS or TLS from the start."""

from __future__ import annotations

import io
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NoReturn
from urllib.parse import unquote, urlsplit

import httpcore2
from pydantic import BaseModel, Field, SecretStr, model_validator

from engine.ports import Mail, MailReceipt, PortFailure, Rejected, TimedOut, Unavailable, Unknown
from integrations import egress
from integrations.mail import as_bytes, build, envelope_sender, recipients
from integrations.registry import provider

MAIL_PORTS = frozenset({25, 465, 587, 2525})
MAX_REPLY_BYTES = 64 * 1024  # of one answer of the server's
_SCHEMES = {"smtp": ("none", 25), "smtp+tls": ("starttls", 587), "smtps": ("tls", 465)}


class Config(BaseModel):
    """`url` is a short form of the other fields: smtp://user:password@host:port, smtp+tls:// (STARTTLS) or smtps://."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "url" not in given:
            return given
        fields = dict(given)
        parts = urlsplit(fields.pop("url"))
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("The URL must look like smtp://user:password@host:port, smtp+tls:// or smtps://.")
        security, port = _SCHEMES[parts.scheme]
        return {
            "host": parts.hostname,
            "port": parts.port or port,
            "security": security,
            "username": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            **fields,
        }


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


class _Replies(io.RawIOBase):
    """What the server says. smtplib reads on while lines come, so here each piece is held against the deadline and counted."""

    def __init__(self, sock: socket.socket, deadline: egress.Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self.left = MAX_REPLY_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._deadline.left()
        if seconds <= 0:
            raise TimeoutError
        if self.left <= 0:
            raise ConnectionAbortedError("The server does not stop talking.")
        self._sock.settimeout(seconds)
        count = self._sock.recv_into(buffer)
        self.left -= count
        return count


class _Session(smtplib.SMTP):
    """smtplib over a guarded socket; every wait is bounded by what is left of the deadline."""

    _replies: _Replies | None = None

    def __init__(self, config: Config, deadline: egress.Deadline, network: egress.Network) -> None:
        self._config = config
        self._deadline = deadline
        self._network = network
        super().__init__(config.host, config.port, local_hostname="auterity", timeout=max(0.001, deadline.left()))

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = egress.connect(host, port, self._deadline, ports=MAIL_PORTS, network=self._network)
        sock.settimeout(max(0.001, self._deadline.left()))
        return _tls().wrap_socket(sock, server_hostname=host) if self._config.security == "tls" else sock

    def _hurry(self) -> None:
        left = self._deadline.left()
        if left <= 0:
            self.close()
            raise TimeoutError
        if self.sock is not None:
            self.sock.settimeout(left)

    def send(self, s: Any) -> None:
        self._hurry()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        self._hurry()
        if self.file is None and self.sock is not None:
            self._replies = _Replies(self.sock, self._deadline)
            self.file = io.BufferedReader(self._replies)
        if self._replies is not None:
            self._replies.left = MAX_REPLY_BYTES
        return super().getreply()


@provider("email", "smtp", title="SMTP server", config=Config)
class Smtp:
    """`EmailPort` over SMTP. One connection a mail; either every recipient is accepted or nothing is sent."""

    def __init__(self, config: Config, network: egress.Network = egress.SYSTEM) -> None:
        self._config = config
        self._network = network

    def check(self, *, timeout: float) -> str:
        """Greets, encrypts and logs in as for a mail, and says goodbye. Raises Rejected, Unavailable or TimedOut."""
        session: _Session | None = None
        try:
            session = _Session(self._config, egress.Deadline(timeout), self._network)
            self._greet(session)
            self._expect("NOOP", session.noop(), 250)
            with suppress(OSError, smtplib.SMTPException):
                session.putcmd("QUIT")
        except PortFailure:
            raise
        except Exception as error:
            self._fail(error)
        finally:
            if session is not None:
                session.close()
        return (
            f"{self._config.host} answered{' and took the login' if self._config.username else ''}; no mail was sent."
        )

    def send(self, mail: Mail, *, timeout: float) -> MailReceipt:
        """Raises Rejected (5xx), Unavailable (4xx), TimedOut (before the text was sent), Unknown (lost after it)."""
        message = build(mail, self._config.sender)
        everyone = recipients(mail)
        sender = envelope_sender(mail, self._config.sender)
        international = not all(each.isascii() for each in (*everyone, sender))
        session: _Session | None = None
        try:
            session = _Session(self._config, egress.Deadline(timeout), self._network)
            self._greet(session)
            self._address(session, sender, everyone, international)
            self._deliver(session, as_bytes(message, utf8=international))
        except PortFailure:
            raise
        except Exception as error:
            self._fail(error)
        finally:
            if session is not None:
                session.close()
        return MailReceipt(message_id=str(message["Message-ID"]), status="sent", provider="smtp")

    def find(self, key: str) -> MailReceipt | None:
        """Always raises Unknown."""
        raise Unknown("SMTP cannot be asked whether a mail was sent.")

    def _greet(self, session: _Session) -> None:
        session.ehlo_or_helo_if_needed()
        if self._config.security == "starttls":
            session.starttls(context=_tls())
            session.ehlo_or_helo_if_needed()
        if self._config.username:
            session.login(self._config.username, self._config.password.get_secret_value())

    def _address(self, session: _Session, sender: str, everyone: list[str], international: bool) -> None:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
        if international and not session.has_extn("smtputf8"):
            raise Rejected(f"{self._config.host} does not take addresses with letters beyond ASCII.")
        self._expect("the sender", session.mail(sender, options), 250)
        for each in everyone:
            self._expect(f"the recipient {each}", session.rcpt(each), 250, 251)

    def _deliver(self, session: _Session, content: bytes) -> None:
        """DATA by hand: smtplib's own does not tell whether the connection broke before or after the text was sent."""
        self._expect("the message", session.docmd("DATA"), 354)
        try:
            session.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
            reply = session.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise Unknown(
                f"{self._config.host} took the mail and did not answer; it may have been sent.", reason=_reason(error)
            ) from error
        if reply[0] < 200:
            raise Unknown(f"{self._config.host} answered the mail with something unreadable; it may have been sent.")
        self._expect("the message", reply, 250)
        with suppress(OSError, smtplib.SMTPException):
            session.putcmd("QUIT")  # Good manners; the mail is already the server's, so nobody waits for the answer.

    def _expect(self, what: str, reply: tuple[int, bytes], *codes: int) -> None:
        code, text = reply
        if code in codes:
            return
        said = text.decode("utf-8", "replace").replace("\n", " ")[:200]
        sentence = f"{self._config.host} did not take {what}: {code} {said}"
        raise (Unavailable if code < 500 else Rejected)(sentence, smtp_code=code)

    def _fail(self, error: Exception) -> NoReturn:
        """Everything before the message's text: nothing was sent. Raises what that means."""
        host = self._config.host
        if isinstance(error, smtplib.SMTPAuthenticationError):
            raise Rejected(
                f"{host} refused the user name or password (AUTERITY_SMTP_URL, or the connection).",
                smtp_code=error.smtp_code,
            ) from None
        if isinstance(error, smtplib.SMTPResponseException):
            self._expect("the conversation", (error.smtp_code, _bytes(error.smtp_error)))
        if isinstance(error, smtplib.SMTPNotSupportedError):
            raise Rejected(f"{host} does not offer what the settings ask for: {error}.") from error
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Rejected(f"The certificate of {host} is not valid: {error.verify_message}.") from error
        if _reason(error) == "timeout":
            raise TimedOut(f"{host} did not answer in time; no mail was sent.") from error
        if isinstance(error, (OSError, smtplib.SMTPException)):
            raise Unavailable(f"The connection to {host} broke off; no mail was sent.") from error
        if isinstance(error, ValueError):
            raise Unavailable(f"{host} said something that is no SMTP; no mail was sent.") from error
        raise error


def _reason(error: BaseException) -> str:
    """smtplib words a time-out as a lost connection and keeps the cause in the context."""
    return "timeout" if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError) else "lost"


def _bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode()
