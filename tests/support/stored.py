"""What is stored of a workflow, read past the verbs."""

from __future__ import annotations

from promptpilot.models import Workflow, WorkflowStep, WorkflowVersion


async def step_names(workflow: Workflow) -> dict[str, str]:
    """Return id -> name of the stored steps, in order."""
    rows = await WorkflowStep.filter(workflow_id=workflow.id).order_by("position")
    return {row.id: row.name for row in rows}


async def version_of(workflow: Workflow) -> WorkflowVersion:
    """Return the version that new executions would pin."""
    return await WorkflowVersion.get(id=workflow.current_version_id)


async def stored(workflow: Workflow) -> Workflow:
    """Return the workflow as it is stored now."""
    return await Workflow.get(id=workflow.id)
