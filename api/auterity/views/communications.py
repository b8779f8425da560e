"""`/api/communications`: mails and text messages, and what became of them (000, "Communication Providers")."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import communications as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from integrations import outgoing
from integrations.errors import MessageNotFound, ProviderNotConfigured
from integrations.models import OutgoingMessage

SENDING = (NotAuthenticated, PermissionDenied, InvalidInput, ProviderNotConfigured)


class EmailView(AuterityView):
    @operation(
        needs=Permission.COMMUNICATION_SEND,
        id="email_send",
        summary="Send an e-mail",
        body=bodies.EmailRequest,
        answers={202: bodies.EmailResponse},
        raises=SENDING,
        creates=True,
    )
    def post(self, call: Call[bodies.EmailRequest]) -> Answer:
        """Stored when this answers, and sent by a worker soon; `/api/communications/messages` says what became of it."""
        message = outgoing.accept_email(actor=call.actor, email=call.body.as_email())
        return Answer(bodies.EmailResponse(**_receipt(message)), 202)


class SmsView(AuterityView):
    @operation(
        needs=Permission.COMMUNICATION_SEND,
        id="sms_send",
        summary="Send a text message",
        body=bodies.SmsRequest,
        answers={202: bodies.SmsResponse},
        raises=SENDING,
        creates=True,
    )
    def post(self, call: Call[bodies.SmsRequest]) -> Answer:
        """Stored when this answers, and sent by a worker soon; `/api/communications/messages` says what became of it."""
        message = outgoing.accept_sms(actor=call.actor, sms=call.body.as_sms())
        return Answer(bodies.SmsResponse(**_receipt(message), cost=_cost(message)), 202)


class MessagesView(AuterityView):
    @operation(
        needs=Permission.COMMUNICATION_SEND,
        id="message_list",
        summary="List messages that were sent",
        query=bodies.MessageQuery,
        answers={200: bodies.MessagePage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """The organization's, newest first."""
        rows = outgoing.list_messages(actor=call.actor, channel=call.query.channel, status=call.query.status)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.MessagePage(messages=[bodies.MessageSummary(**_about(each)) for each in found], **page))


class MessageView(AuterityView):
    @operation(
        needs=Permission.COMMUNICATION_SEND,
        id="message_get",
        summary="What became of a message",
        answers={200: bodies.MessageDetail},
        raises=[NotAuthenticated, PermissionDenied, MessageNotFound],
    )
    def get(self, call: Call[None], message_id: UUID) -> Answer:
        """With what it says, and what the provider answered."""
        message = outgoing.get_message(actor=call.actor, message_id=message_id)
        return Answer(bodies.MessageDetail(**_about(message), content=_content(message)))


def _receipt(message: OutgoingMessage) -> dict[str, Any]:
    return {
        "message_id": str(message.id),
        "status": message.status,
        "provider_response": message.provider_response or {},
        "timestamp": message.updated_at,
    }


def _about(message: OutgoingMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "message_id": str(message.id),
        "channel": message.channel,
        "provider": message.provider,
        "status": message.status,
        "settled": message.settled_at is not None,
        "sender": message.sender,
        "recipients": message.recipients,
        "subject": message.subject,
        "attempts": message.attempts,
        "error_message": message.error or None,
        "provider_message_id": message.provider_message_id or None,
        "provider_response": message.provider_response or {},
        "cost": _cost(message),
        "currency": message.currency or None,
        "created_by": message.created_by_id,
        "created_at": message.created_at,
        "settled_at": message.settled_at,
    }


def _cost(message: OutgoingMessage) -> float | None:
    return None if message.cost is None else float(message.cost)


def _content(message: OutgoingMessage) -> dict[str, Any]:
    content = dict(message.content)
    attached = [
        {"filename": each["filename"], "content_type": each["content_type"]} for each in content.pop("attachments", ())
    ]
    return {**content, "attachments": attached} if message.channel == "email" else content
