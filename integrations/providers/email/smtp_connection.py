"""A customer's own SMTP server, by stored connection."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field, SecretStr

from engine.ports import Mail, MailReceipt
from integrations.connection_types import Credentials, Settings, connection_type
from integrations.providers.email.smtp import Config as SmtpConfig
from integrations.providers.email.smtp import Smtp


class Config(Settings):
    host: str = Field(min_length=1, max_length=253, description="The server's name.")
    port: int = Field(default=587, ge=1, le=65535)
    from_: str = Field(alias="from", min_length=3, max_length=320, description="The sender of mails that name none.")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How the line is encrypted.")
    reply_to: str = Field(default="", max_length=320, description="Where answers to mails go that name no place.")


class Secrets(Credentials):
    username: str = ""
    password: SecretStr = SecretStr("")


@connection_type(
    "smtp",
    kind="email",
    title="SMTP server",
    config=Config,
    credentials=Secrets,
    bound=("host", "port", "security"),
)
class OwnSmtp:
    """`EmailPort`."""

    def __init__(self, config: Config, credentials: Secrets) -> None:
        self._reply_to = config.reply_to
        self._smtp = Smtp(
            SmtpConfig(
                host=config.host,
                port=config.port,
                security=config.security,
                username=credentials.username,
                password=credentials.password,
                sender=config.from_,
            )
        )

    def check(self, *, timeout: float) -> str:
        """Greets and logs in; no mail is sent."""
        return self._smtp.check(timeout=timeout)

    def send(self, mail: Mail, *, timeout: float) -> MailReceipt:
        if self._reply_to and not mail.reply_to:
            mail = replace(mail, reply_to=self._reply_to)
        return self._smtp.send(mail, timeout=timeout)

    def find(self, key: str) -> MailReceipt | None:
        return self._smtp.find(key)
