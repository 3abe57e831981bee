"""Starts by plain HTTP: a workflow or a trigger, in the name of whoever holds the token."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptpilot import ids
from promptpilot.engine.api import Engine
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.engine.principal import Principal
from promptpilot.models import Execution, Workflow
from promptpilot.rest.bearer import identify
from promptpilot.rest.body import read_body, read_input
from promptpilot.rest.errors import WorkflowInactive

_ENVELOPE_BYTES = 1024


async def execute_workflow(request: Request, engine: Engine) -> Response:
    """Answer 202 with the stored execution; a new one is PENDING, whatever a worker made of it."""
    principal = await identify(request, engine)
    values = await _read_values(request, engine)
    workflow_id = request.path_params["workflow_id"]
    await _check_active(principal, workflow_id)
    launched = await engine.start_execution(principal, workflow_id, values, _key(request))
    row = await _row(principal, launched.execution_id)
    status = ExecutionStatus.PENDING.value if launched.is_new else row.status
    return JSONResponse({**_document(row), "status": status}, 202)


async def execute_trigger(request: Request, engine: Engine) -> Response:
    """Answer 200 with the execution that the trigger started."""
    principal = await identify(request, engine)
    values = await _read_values(request, engine)
    trigger_id = request.path_params["trigger_id"]
    launched = await engine.run_trigger(principal, trigger_id, values, _key(request))
    row = await _row(principal, launched.execution_id)
    return JSONResponse({**_document(row), "triggerId": trigger_id, "status": row.status})


async def _read_values(request: Request, engine: Engine) -> dict[str, Any]:
    limit = engine.settings.max_input_bytes + _ENVELOPE_BYTES
    return read_input(await read_body(request, limit))


async def _check_active(principal: Principal, workflow_id: str) -> None:
    """Raise WorkflowInactive; over REST programs start workflows, and those are to be off."""
    if not ids.is_id(workflow_id, ids.Kind.WORKFLOW):
        return  # the engine says that there is none
    row = await Workflow.get_or_none(id=workflow_id, workspace_id=principal.workspace_id)
    if row is not None and not row.is_active:
        raise WorkflowInactive("The workflow is switched off; switch it on first.", "INACTIVE")


async def _row(principal: Principal, execution_id: str) -> Execution:
    return await Execution.get(id=execution_id, workspace_id=principal.workspace_id)


def _key(request: Request) -> str | None:
    return request.headers.get("idempotency-key")


def _document(row: Execution) -> dict[str, Any]:
    return {
        "id": row.id,
        "executionId": row.id,
        "workflowId": row.workflow_id,
        "input": row.input,
        "createdAt": row.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
