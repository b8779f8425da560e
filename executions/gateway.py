"""The outside world as one organization may use it: the ports that a step's node is given."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from ai.inference import StoredModels
from ai.priced import Priced
from ai.selectors import llm_port
from engine.ports import (
    DatabasePort,
    EmailPort,
    HttpPort,
    LlmPort,
    MessageTemplate,
    NotConfigured,
    Ports,
    Rejected,
    SmsPort,
    StoredFile,
)
from integrations.connected import connected
from integrations.errors import MessageTemplateNotFound
from integrations.http import GuardedHttp
from integrations.selectors import email_port, message_template, sms_port


@dataclass(frozen=True, slots=True)
class StoredMessages:
    """Message templates from the database. Its connection is given back before the step goes on to the network."""

    organization_id: UUID

    def template(self, name: str) -> MessageTemplate:
        try:
            found = message_template(organization_id=self.organization_id, name=name)
        except MessageTemplateNotFound as error:
            raise Rejected(error.message) from error
        finally:
            connection.close()
        return MessageTemplate(name=found.name, subject=found.subject, text=found.text, html=found.html)


@dataclass(frozen=True, slots=True)
class StoredConnections:
    """`ConnectionsPort` over the organization's rows: looked up at each use, so that a change counts from then on."""

    organization_id: UUID

    def email(self, connection_id: str) -> EmailPort:
        port: EmailPort = connected(organization_id=self.organization_id, kind="email", connection_id=connection_id)
        return port

    def sms(self, connection_id: str) -> SmsPort:
        port: SmsPort = connected(organization_id=self.organization_id, kind="sms", connection_id=connection_id)
        return port

    def llm(self, connection_id: str) -> LlmPort:
        return Priced(connected(organization_id=self.organization_id, kind="llm", connection_id=connection_id))

    def http(self, connection_id: str) -> HttpPort:
        port: HttpPort = connected(organization_id=self.organization_id, kind="http", connection_id=connection_id)
        return port

    def database(self, connection_id: str) -> DatabasePort:
        port: DatabasePort = connected(
            organization_id=self.organization_id, kind="database", connection_id=connection_id
        )
        return port


class NoFiles:
    """`FilesPort` of a server that keeps none."""

    def read(self, file_id: str, *, max_bytes: int) -> StoredFile:
        raise NotConfigured("This server keeps no files; give the address of the file instead.")


def ports_of(organization_id: UUID) -> Ports:
    """Everything outside, for one organization."""
    return Ports(
        email=email_port(),
        messages=StoredMessages(organization_id),
        llm=llm_port(),
        http=GuardedHttp(),
        sms=sms_port(organization_id),
        connections=StoredConnections(organization_id),
        models=StoredModels(organization_id),
        files=NoFiles(),
    )
