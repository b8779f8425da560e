"""A workflow as a document: `/api/workflows/{id}/export` and `/api/workflows/import`."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from accounts.errors import NotAuthenticated
from api.auterity.bodies import transfer as bodies
from api.auterity.dialect import AuterityView
from api.auterity.views.workflows import problem_body, workflow_keys
from api.base import Answer, Call, operation
from api.parsers import (
    JsonParser,
    VendorJsonParser,
    VendorJsonRenderer,
    WrittenRenderer,
    WrittenYamlRenderer,
    YamlParser,
)
from auterity.kernel.access import Permission
from auterity.kernel.errors import InvalidInput, PermissionDenied
from workflows import transfer
from workflows.errors import DefinitionRefused, VersionNotFound, WorkflowNotFound
from workflows.transfer import Reading


class ExportView(AuterityView):
    renderer_classes = [WrittenRenderer, WrittenYamlRenderer, VendorJsonRenderer]

    @operation(
        needs=Permission.WORKFLOW_READ,
        id="workflow_export",
        summary="Export a workflow",
        query=bodies.ExportQuery,
        answers={200: bodies.WorkflowDocument},
        raises=[NotAuthenticated, PermissionDenied, WorkflowNotFound, VersionNotFound],
        whole=True,
    )
    def get(self, call: Call[None], workflow_id: UUID) -> Answer:
        """A document that holds everything but secrets and ids of this organization, and lists those under `fill_in`.

        The same workflow gives the same bytes.
        """
        document = transfer.export_workflow(actor=call.actor, workflow_id=workflow_id, number=call.query.version)
        as_yaml = call.query.format == "yaml"
        text = transfer.as_yaml(document) if as_yaml else transfer.as_json(document)
        name = re.sub(r"[^a-z0-9]+", "-", document["name"].lower()).strip("-")[:80] or "workflow"
        return Answer(
            text.encode(),
            media="application/yaml" if as_yaml else "application/json",
            headers={"Content-Disposition": f'attachment; filename="{name}.{call.query.format}"'},
        )


class ImportView(AuterityView):
    parser_classes = [JsonParser, VendorJsonParser, YamlParser]

    @operation(
        needs=Permission.WORKFLOW_CREATE,
        id="workflow_import",
        summary="Import a workflow",
        body=bodies.WorkflowDocument,
        query=bodies.ImportQuery,
        answers={200: bodies.ImportReport, 201: bodies.Imported},
        raises=[NotAuthenticated, PermissionDenied, InvalidInput, DefinitionRefused],
        creates=True,
    )
    def post(self, call: Call[bodies.WorkflowDocument]) -> Answer:
        """Reads a document, as JSON or as `application/yaml`, into a new workflow. Nothing runs and nothing is connected to.

        Where secrets or connections must be filled in, or something must be mended first, it becomes an inactive draft.
        `check_only` stores nothing and says everything that is wrong.
        """
        document = call.body.model_dump(exclude_unset=True)
        if call.query.check_only:
            reading = transfer.read_document(actor=call.actor, document=document)
            return Answer(bodies.ImportReport(**_report(reading)))
        workflow, reading = transfer.import_workflow(
            actor=call.actor, document=document, is_active=call.query.is_active
        )
        shown = workflow_keys(workflow, reading.definition)
        return Answer(bodies.Imported.model_validate({**_report(reading), "workflow": shown}), 201)


def _report(reading: Reading) -> dict[str, Any]:
    return {
        "valid": not reading.problems,
        "draft": not reading.complete,
        "name": reading.name,
        "nodes": len(reading.definition["nodes"]),
        "edges": len(reading.definition["edges"]),
        "tests": len(reading.tests),
        "fill_in": [bodies.Blank.model_validate(each.as_json()) for each in reading.blanks],
        "problems": [bodies.FieldProblemBody(field=each.field, message=each.message) for each in reading.problems],
        "faults": [problem_body(each) for each in reading.faults],
    }
