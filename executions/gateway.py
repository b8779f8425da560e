"""The outside world as one organization may use it: the ports that a step's node is given."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from ai.selectors import llm_port
from engine.ports import MessageTemplate, Ports, Rejected
from executions.children import StoredRuns
from executions.people import StoredPeople
from integrations.errors import MessageTemplateNotFound
from integrations.http import GuardedHttp
from integrations.selectors import email_port, message_template


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


def ports_of(organization_id: UUID) -> Ports:
    """Everything outside, for one organization."""
    return Ports(
        email=email_port(),
        messages=StoredMessages(organization_id),
        llm=llm_port(),
        http=GuardedHttp(),
        people=StoredPeople(organization_id),
        runs=StoredRuns(organization_id),
    )
