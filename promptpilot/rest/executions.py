"""Executions by plain HTTP: starting a workflow, and looking at what came of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptpilot import ids
from promptpilot.engine.api import Engine
from promptpilot.engine.lifecycle import ExecutionStatus, WaitReason, shown_status
from promptpilot.engine.principal import Principal
from promptpilot.errors import NotFound
from promptpilot.instants import instant_text
from promptpilot.models import Execution, Workflow
from promptpilot.rest.bearer import identify
from promptpilot.rest.body import read_values
from promptpilot.rest.call import idempotency_key
from promptpilot.rest.errors import WorkflowInactive


async def execute_workflow(request: Request, engine: Engine) -> Response:
    """Answer 202 with the stored execution; a new one is PENDING, whatever a worker made of it."""
    principal = await identify(request, engine)
    values = await read_values(request, engine)
    workflow_id = request.path_params["workflow_id"]
    await _check_active(principal, workflow_id)
    key = idempotency_key(request)
    launched = await engine.start_execution(principal, workflow_id, values, key)
    row = await find_execution(principal, launched.execution_id)
    shown = show_execution(row, engine.settings.public_url)
    pending = {"status": ExecutionStatus.PENDING.value} if launched.is_new else {}
    return JSONResponse({**shown, **pending}, 202)


async def read_execution(request: Request, engine: Engine) -> Response:
    """Answer 200 with an execution as it is now."""
    principal = await identify(request, engine)
    row = await find_execution(principal, request.path_params["execution_id"])
    shown = show_execution(row, engine.settings.public_url)
    return JSONResponse(shown, headers={"cache-control": "private, no-store"})


async def find_execution(principal: Principal, id: str) -> Execution:
    """Return the caller's execution; raise NotFound for all others."""
    row = None
    if ids.is_id(id, ids.Kind.EXECUTION):
        row = await Execution.get_or_none(id=id, workspace_id=principal.workspace_id)
    if row is None:
        raise NotFound("There is no execution with this id.", id)
    return row


def show_execution(row: Execution, public_url: str) -> dict[str, Any]:
    """Return an execution as callers see it: a handover between workers is RUNNING to them."""
    reason = WaitReason(row.wait_reason) if row.wait_reason else None
    is_cut = row.output_bytes is not None
    return {
        "id": row.id,
        "executionId": row.id,
        "workflowId": row.workflow_id,
        "status": shown_status(ExecutionStatus(row.status), reason).value,
        "waitReason": None if reason is WaitReason.HANDOVER else reason,
        "input": row.input,
        "output": row.output,
        "outputUrl": f"{public_url}/api/executions/{row.id}/output" if is_cut else None,
        "error": row.error,
        "metadata": {
            "triggerType": row.trigger_type,
            "triggerId": row.trigger_id,
            "workflowRevision": row.workflow_revision,
            "retryOfId": row.retry_of_id,
        },
        "createdAt": instant_text(row.created_at),
        "startedAt": None if row.started_at is None else instant_text(row.started_at),
        "finishedAt": None if row.finished_at is None else instant_text(row.finished_at),
    }


async def _check_active(principal: Principal, workflow_id: str) -> None:
    """Raise WorkflowInactive; over REST programs start workflows, and those are to be off."""
    if not ids.is_id(workflow_id, ids.Kind.WORKFLOW):
        return  # the engine says that there is none
    row = await Workflow.get_or_none(id=workflow_id, workspace_id=principal.workspace_id)
    if row is not None and not row.is_active:
        raise WorkflowInactive("The workflow is switched off; switch it on first.", "INACTIVE")
