"""Shapes of `/api/communications` (000, "Communication Providers")."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from api.auterity.moments import Moment
from api.auterity.pages import Page, PageQuery
from integrations.mail import checked_address
from integrations.outgoing import Email, File, TextMessage

MAX_RECIPIENTS = 50
MAX_ATTACHMENTS = 20
MAX_ATTACHED = 3 * 1024 * 1024  # bytes together; a request may have 5 MiB, and base64 takes a third more

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\d{3,8}|MG[0-9a-fA-F]{32}|(?=.*[A-Za-z])[A-Za-z0-9 _&-]{1,11}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}/[A-Za-z0-9][A-Za-z0-9.+-]{0,90}")

EmailProvider = Literal["sendgrid", "aws_ses", "mailgun", "smtp", "console"]
SmsProvider = Literal["twilio", "aws_sns", "messagebird", "console"]
MessageStatus = Literal["queued", "sent", "delivered", "failed"]


def _one_line(text: str) -> str:
    if re.search(r"[\r\n\x00]", text):
        raise ValueError("This is one line; take the line breaks out.")
    return text


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise ValueError("Write the number as E.164 has it: +, country code and number, such as +15125550100.")
    return text


def _sender(text: str) -> str:
    if not (_NUMBER.fullmatch(text) or _SENDER.fullmatch(text)):
        raise ValueError("A sender is a number such as +15125550100, a short code, or a name of at most 11 letters.")
    return text


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("The address of a picture begins with https://.")
    return text


Address = Annotated[str, Field(max_length=320), AfterValidator(checked_address)]
Number = Annotated[str, AfterValidator(_number)]


class EmailContent(BaseModel):
    text: Annotated[str | None, Field(max_length=1_000_000)] = None
    html: Annotated[str | None, Field(max_length=1_000_000)] = None


class EmailAttachment(BaseModel):
    """All of them together have at most 3 MiB."""

    filename: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
    content_type: str
    content_base64: str

    @field_validator("content_type")
    @classmethod
    def _is_a_type(cls, value: str) -> str:
        if not _MEDIA_TYPE.fullmatch(value):
            raise ValueError("This is a media type such as application/pdf.")
        return value

    @field_validator("content_base64")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("The content is no base64.") from None
        return value

    @property
    def size(self) -> int:
        return len(self.content_base64) * 3 // 4


class EmailRequest(BaseModel):
    """000, EmailRequest. `smtp` is the organization's or the server's own; `console` keeps the mail and sends nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "provider": "sendgrid",
                "to": ["customer@example.com"],
                "from": "sales@example.com",
                "subject": "Your visit",
                "content": {"text": "Thank you."},
            }
        }
    )

    provider: EmailProvider
    to: Annotated[list[Address], Field(min_length=1)]
    cc: list[Address] = []
    bcc: list[Address] = []
    from_: Annotated[Address, Field(alias="from")]
    subject: Annotated[str, Field(max_length=500), AfterValidator(_one_line)]
    content: EmailContent
    template_id: Annotated[str | None, Field(max_length=100, description="The name of a stored message.")] = None
    template_data: Annotated[dict[str, Any] | None, Field(description="Values for the stored message.")] = None
    attachments: Annotated[list[EmailAttachment], Field(max_length=MAX_ATTACHMENTS)] = []
    connection_id: Annotated[UUID | None, Field(description="Which connection; else the newest of the provider.")] = (
        None
    )

    @model_validator(mode="after")
    def _is_within_bounds(self) -> Self:
        if len(self.to) + len(self.cc) + len(self.bcc) > MAX_RECIPIENTS:
            raise ValueError(f"one mail may have {MAX_RECIPIENTS} recipients, cc and bcc among them")
        if sum(each.size for each in self.attachments) > MAX_ATTACHED:
            raise ValueError(f"the attachments may have {MAX_ATTACHED:,} bytes together")
        return self

    def as_email(self) -> Email:
        return Email(
            provider=self.provider,
            to=self.to,
            cc=self.cc,
            bcc=self.bcc,
            sender=self.from_,
            subject=self.subject.strip(),
            text=self.content.text or "",
            html=self.content.html or "",
            template_id=self.template_id or "",
            template_data=self.template_data,
            attachments=[File(each.filename, each.content_type, each.content_base64) for each in self.attachments],
            connection_id=self.connection_id,
        )


class SmsRequest(BaseModel):
    """000, SMSRequest. `console` keeps the message and sends nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"provider": "twilio", "to": "+15550100", "from": "+15550199", "message": "See you at 10."}
        }
    )

    provider: SmsProvider
    to: Number
    from_: Annotated[str, Field(alias="from"), AfterValidator(_sender)]
    message: Annotated[str, Field(max_length=1600)]
    media_urls: Annotated[
        list[Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]], Field(max_length=10)
    ] = []
    connection_id: Annotated[UUID | None, Field(description="Which connection; else the newest of the provider.")] = (
        None
    )

    @field_validator("message")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("The message is empty.")
        return value

    def as_sms(self) -> TextMessage:
        return TextMessage(
            provider=self.provider,
            to=self.to,
            sender=self.from_,
            text=self.message,
            media_urls=self.media_urls,
            connection_id=self.connection_id,
        )


class EmailResponse(BaseModel):
    """000, EmailResponse. `message_id` is the id at `/api/communications/messages`; the provider's own is in its response."""

    message_id: str
    status: MessageStatus
    provider_response: Annotated[dict[str, Any], Field(description="Empty until the provider has answered.")]
    timestamp: Moment


class SmsResponse(EmailResponse):
    """000, SMSResponse."""

    cost: Annotated[float | None, Field(description="Null until the provider says it.")]


class MessageQuery(PageQuery):
    channel: Literal["email", "sms"] | None = None
    status: MessageStatus | None = None


class MessageSummary(BaseModel):
    id: UUID
    message_id: str
    channel: Literal["email", "sms"]
    provider: str
    status: MessageStatus
    settled: Annotated[bool, Field(description="Whether nothing more will be attempted.")]
    sender: str
    recipients: list[str]
    subject: str
    attempts: int
    error_message: str | None
    provider_message_id: str | None
    provider_response: dict[str, Any]
    cost: float | None
    currency: str | None
    created_by: UUID | None
    created_at: Moment
    settled_at: Moment | None


class MessagePage(Page):
    messages: list[MessageSummary]


class MessageDetail(MessageSummary):
    content: Annotated[dict[str, Any], Field(description="What it says; of attachments their names and types.")]
