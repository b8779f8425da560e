"""A customer's first program with the generated Python client: register, log in, save a workflow, run it, follow it, read it.

    PYTHONPATH=build/clients/python .venv-contract/bin/python journey.py http://localhost:8000
"""

from __future__ import annotations

import json
import sys
import time
import uuid

from auterity_client import AuthenticatedClient, Client
from auterity_client.api.auth import auth_login, auth_me, auth_register
from auterity_client.api.executions import execution_get, execution_log_list, workflow_execute
from auterity_client.api.workflows import workflow_create, workflow_get, workflow_list
from auterity_client.models import (
    Accepted,
    ErrorBody,
    ExecuteRequest,
    ExecuteRequestInputDataType0,
    ExecutionBody,
    ExecutionStatus,
    LoginRequest,
    LogPage,
    Me,
    RegisterRequest,
    Tokens,
    UserBody,
    WorkflowBody,
    WorkflowCreateRequest,
    WorkflowDetail,
    WorkflowPage,
)

RUNNING = (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)
GRAPH = {
    "nodes": [
        {"id": "start", "type": "start"},
        {"id": "total", "type": "data-transformation", "config": {"set": {"total": "{{ inputs.price * 2 }}"}}},
    ],
    "edges": [{"id": "e1", "source": "start", "target": "total"}],
}


def main(url: str) -> None:
    nobody = Client(base_url=url)
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    person = RegisterRequest(email=email, password="secure_password", first_name="John", last_name="Doe")
    registered = auth_register.sync(client=nobody, body=person)
    assert isinstance(registered, UserBody), registered
    refused = auth_login.sync(client=nobody, body=LoginRequest(email=email, password="something else"))
    assert isinstance(refused, ErrorBody), refused
    tokens = auth_login.sync(client=nobody, body=LoginRequest(email=email, password="secure_password"))
    assert isinstance(tokens, Tokens), tokens

    client = AuthenticatedClient(base_url=url, token=tokens.access_token)
    me = auth_me.sync(client=client)
    assert isinstance(me, Me), me
    wanted = WorkflowCreateRequest.from_dict({"name": "Totals", "definition": GRAPH})
    saved = workflow_create.sync(client=client, body=wanted, idempotency_key=uuid.uuid4().hex)
    assert isinstance(saved, WorkflowBody), saved

    inputs = ExecuteRequestInputDataType0.from_dict({"price": 21})
    accepted = workflow_execute.sync(saved.id, client=client, body=ExecuteRequest(input_data=inputs))
    assert isinstance(accepted, Accepted), accepted
    run = execution_get.sync(accepted.execution_id, client=client)
    until = time.monotonic() + 30
    while isinstance(run, ExecutionBody) and run.status in RUNNING and time.monotonic() < until:
        time.sleep(0.05)
        run = execution_get.sync(accepted.execution_id, client=client)
    assert isinstance(run, ExecutionBody), run

    log = execution_log_list.sync(accepted.execution_id, client=client)
    assert isinstance(log, LogPage), log
    shown = workflow_get.sync(saved.id, client=client)
    assert isinstance(shown, WorkflowDetail), shown
    listed = workflow_list.sync(client=client, page_size=5, search="Totals")
    assert isinstance(listed, WorkflowPage), listed
    missing = workflow_get.sync(uuid.uuid4(), client=client)
    assert isinstance(missing, ErrorBody), missing
    told = {
        "refused": refused.error.code,
        "email": me.email == email,
        "status": run.status.value,
        "output": run.output_data,
        "steps": [step.node_id for step in run.steps],
        "lines": log.total > 0,
        "executions": shown.execution_stats.total_executions,
        "listed": [each.name for each in listed.workflows],
        "missing": missing.error.code,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
