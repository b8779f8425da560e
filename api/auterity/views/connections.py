"""`/api/integrations/connections`: systems of the organization's own that workflows may use."""

from __future__ import annotations

from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import connections as bodies
from api.auterity.dialect import AuterityView
from api.auterity.pages import cut
from api.base import Answer, Call, operation
from auterity.kernel.access import Permission, require
from auterity.kernel.errors import InvalidInput, PermissionDenied
from integrations import selectors, services
from integrations.connection_types import CONNECTION_TYPES, MASK
from integrations.errors import ConnectionNameTaken, ConnectionNotFound
from integrations.models import Connection


class ConnectionsView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        summary="List connections",
        query=bodies.ConnectionQuery,
        answers={200: bodies.ConnectionPage},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput],
    )
    def get(self, call: Call[None]) -> Answer:
        """The organization's, by name. Credentials are masked."""
        rows = selectors.list_connections(actor=call.actor, type=call.query.type)
        found, page = cut(rows, call.query, default_size=self.edition.page_size)
        return Answer(bodies.ConnectionPage(connections=[_body(each) for each in found], **page))

    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        summary="Add a connection",
        body=bodies.ConnectionCreate,
        answers={201: bodies.ConnectionBody},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, ConnectionNameTaken],
        creates=True,
    )
    def post(self, call: Call[bodies.ConnectionCreate]) -> Answer:
        """Stored at once and not tried; `…/test` tries it."""
        row = services.create_connection(
            actor=call.actor,
            name=call.body.name,
            type=call.body.type,
            config=call.body.config,
            credentials=call.body.credentials,
        )
        return Answer(_body(row), 201)


class ConnectionTypesView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        summary="List connection types",
        answers={200: bodies.ConnectionTypes},
        raises=[NotAuthenticated, PermissionDenied],
    )
    def get(self, call: Call[None]) -> Answer:
        """With the JSON Schemas of their settings and credentials."""
        require(call.actor, Permission.INTEGRATION_READ)
        types = [
            bodies.ConnectionTypeBody(
                name=each.name,
                kind=each.kind,
                title=each.title,
                config_schema=each.config.model_json_schema(),
                credentials_schema=each.credentials.model_json_schema(),
            )
            for each in CONNECTION_TYPES
        ]
        return Answer(bodies.ConnectionTypes(types=types, total=len(types)))


class ConnectionView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_READ,
        summary="Read a connection",
        answers={200: bodies.ConnectionBody},
        raises=[NotAuthenticated, PermissionDenied, ConnectionNotFound],
    )
    def get(self, call: Call[None], connection_id: UUID) -> Answer:
        """Credentials are masked."""
        return Answer(_body(selectors.get_connection(actor=call.actor, connection_id=connection_id)))

    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        summary="Change a connection",
        body=bodies.ConnectionUpdate,
        answers={200: bodies.ConnectionBody},
        raises=[NotAuthenticated, PermissionDenied, ConnectionNotFound, InvalidInput, ConnectionNameTaken],
    )
    def put(self, call: Call[bodies.ConnectionUpdate], connection_id: UUID) -> Answer:
        """What is left out stays. A changed address asks for the credentials again."""
        change = services.ConnectionChange(
            name=call.body.name,
            config=call.body.config,
            credentials=call.body.credentials,
            disabled=call.body.disabled,
        )
        return Answer(_body(services.update_connection(actor=call.actor, connection_id=connection_id, change=change)))

    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        summary="Delete a connection",
        answers={204: None},
        raises=[NotAuthenticated, PermissionDenied, ConnectionNotFound],
    )
    def delete(self, call: Call[None], connection_id: UUID) -> Answer:
        """Its credentials are gone with it; steps that name it fail and say so."""
        services.delete_connection(actor=call.actor, connection_id=connection_id)
        return Answer(None, 204)


class ConnectionTestView(AuterityView):
    @operation(
        needs=Permission.INTEGRATION_MANAGE,
        summary="Try a connection",
        answers={200: bodies.ConnectionTested},
        raises=[NotAuthenticated, PermissionDenied, ConnectionNotFound],
    )
    def post(self, call: Call[None], connection_id: UUID) -> Answer:
        """Asks the other side whether it works; changes and costs nothing there. 200 also when it does not work."""
        tried = services.check_connection(actor=call.actor, connection_id=connection_id)
        return Answer(
            bodies.ConnectionTested(
                ok=tried.code == "ok", code=tried.code, message=tried.message, elapsed_ms=tried.elapsed_ms
            )
        )


def _body(row: Connection) -> bodies.ConnectionBody:
    return bodies.ConnectionBody(
        id=row.id,
        name=row.name,
        type=row.type,
        config=row.config,
        credentials=dict.fromkeys(row.credential_names, MASK),
        disabled=row.disabled,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
