"""The outside world as one organization may use it: the ports that a step's node is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection

from accounts.errors import QuotaExceeded
from ai.allowed import AllowedLlm
from ai.inference import StoredModels
from ai.metered import MeteredLlm, MeteredModels
from ai.priced import Priced
from ai.selectors import llm_port, provider_name
from artefacts import selectors as artefacts
from artefacts import services as artefact_services
from artefacts.errors import FileDamaged, FileNotFound, FileTooLarge, StorageFull
from artefacts.models import Purpose
from auterity.kernel.vault import SecretUnreadable
from engine.house_ports import FileReader, StoredFile
from engine.ports import (
    DatabasePort,
    EmailPort,
    HttpAnswer,
    HttpCall,
    HttpPort,
    LlmPort,
    MessageTemplate,
    Ports,
    Rejected,
    SmsPort,
    Unavailable,
)
from executions.children import StoredRuns
from executions.people import StoredPeople
from integrations.connected import connected, looking_up, type_of
from integrations.errors import MessageTemplateNotFound
from integrations.http import GuardedHttp
from integrations.selectors import email_port, message_template, sms_port
from workflows.sealing import reveal
from workflows.secrets import REFERENCE


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
class OrganizationFiles:
    """The organization's stored files. The database connection is given back before the step goes on."""

    organization_id: UUID

    def read(self, file_id: str, *, max_bytes: int) -> StoredFile:
        with self.open(file_id) as file:
            if file.size > max_bytes:
                raise Rejected(f"The file '{file.name}' has {file.size:,} bytes; at most {max_bytes:,} are taken.")
            return StoredFile(file_id, file.name, file.media_type, file.read())

    @contextmanager
    def open(self, file_id: str, *, start: int = 0) -> Iterator[FileReader]:
        try:
            with artefacts.opened(artefacts.of_organization(self.organization_id, file_id), start=start) as file:
                yield file
        except FileNotFound as error:
            raise Rejected(error.message) from error
        except FileDamaged as error:
            raise Unavailable(error.message) from error
        finally:
            connection.close()

    def store(self, name: str, media_type: str, chunks: Iterable[bytes], *, key: str) -> str:
        try:
            made = artefact_services.store(
                organization_id=self.organization_id,
                name=name,
                media_type=media_type,
                pieces=chunks,
                purpose=Purpose.STEP,
                key=key,
                execution_id=_execution_of(key),
            )
        except (FileTooLarge, StorageFull, QuotaExceeded) as error:
            raise Rejected(error.message) from error
        finally:
            connection.close()
        return str(made.id)


def _execution_of(key: str) -> UUID | None:
    """The execution that a step's key (`execution/node/iteration`) begins with."""
    try:
        return UUID(key.partition("/")[0])
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class OpenedHeaders:
    """`HttpPort` that sends what is stored sealed: a header that is a reference goes out as the secret it stands for."""

    port: HttpPort
    organization_id: UUID

    def call(self, call: HttpCall, *, timeout: float) -> HttpAnswer:
        sealed = [name for name, value in call.headers.items() if REFERENCE.fullmatch(value)]
        if sealed:
            with looking_up():
                try:
                    opened = {name: reveal(self.organization_id, call.headers[name]) for name in sealed}
                except SecretUnreadable as error:
                    raise Rejected(f"The header '{sealed[0]}' cannot be sent. {error}") from error
            call = replace(call, headers={**call.headers, **opened})
        return self.port.call(call, timeout=timeout)


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
        port = Priced(connected(organization_id=self.organization_id, kind="llm", connection_id=connection_id))
        with looking_up():
            provider = type_of(organization_id=self.organization_id, connection_id=connection_id)
        return MeteredLlm(AllowedLlm(port, provider, self.organization_id), self.organization_id)

    def http(self, connection_id: str) -> HttpPort:
        port: HttpPort = connected(organization_id=self.organization_id, kind="http", connection_id=connection_id)
        return OpenedHeaders(port, self.organization_id)

    def database(self, connection_id: str) -> DatabasePort:
        port: DatabasePort = connected(
            organization_id=self.organization_id, kind="database", connection_id=connection_id
        )
        return port


def ports_of(organization_id: UUID) -> Ports:
    """Everything outside, for one organization."""
    return Ports(
        email=email_port(),
        messages=StoredMessages(organization_id),
        llm=MeteredLlm(AllowedLlm(llm_port(), provider_name(), organization_id), organization_id),
        http=OpenedHeaders(GuardedHttp(), organization_id),
        people=StoredPeople(organization_id),
        runs=StoredRuns(organization_id),
        files=OrganizationFiles(organization_id),
        sms=sms_port(organization_id),
        connections=StoredConnections(organization_id),
        models=MeteredModels(StoredModels(organization_id), organization_id),
    )
