"""Turns a definition into rows: the version that executions pin, and the draft that people read."""

from __future__ import annotations

from dataclasses import asdict

from promptpilot import ids
from promptpilot.engine.definition import Definition, Step, Variable, digest, dump
from promptpilot.engine.step_configs import PromptConfig, dump_config
from promptpilot.models import Workflow, WorkflowStep, WorkflowVariable, WorkflowVersion


def version_row(workflow: Workflow, definition: Definition, number: int) -> WorkflowVersion:
    """Return a new version of a workflow, made when the workflow was last changed."""
    return WorkflowVersion(
        id=ids.new_id(ids.Kind.WORKFLOW_VERSION),
        workspace_id=workflow.workspace_id,
        workflow_id=workflow.id,
        number=number,
        definition=dump(definition),
        definition_hash=digest(definition),
        created_by=workflow.created_by,
        created_at=workflow.updated_at,
    )


async def replace_parts(workflow_id: str, definition: Definition) -> None:
    """Store the steps and variables of a workflow in place of the ones it had.

    Call it in the transaction that changes the workflow.
    """
    await WorkflowStep.filter(workflow_id=workflow_id).delete()
    await WorkflowVariable.filter(workflow_id=workflow_id).delete()
    steps = [_step_row(workflow_id, *each) for each in enumerate(definition.steps)]
    variables = [_variable_row(workflow_id, *each) for each in enumerate(definition.variables)]
    await WorkflowStep.bulk_create(steps)
    await WorkflowVariable.bulk_create(variables)


def _step_row(workflow_id: str, position: int, step: Step) -> WorkflowStep:
    return WorkflowStep(
        id=step.id,
        workflow_id=workflow_id,
        position=position,
        name=step.name,
        type=step.type.value,
        prompt_id=step.config.prompt_id if isinstance(step.config, PromptConfig) else None,
        config=dump_config(step.config),
        inputs=dict(step.inputs),
        outputs=dict(step.outputs),
        run_if=step.run_if,
        retry=asdict(step.retry),
        timeout_seconds=step.timeout_seconds,
        continue_on_error=step.continue_on_error,
        on_unknown_outcome=step.on_unknown_outcome.value,
    )


def _variable_row(workflow_id: str, position: int, variable: Variable) -> WorkflowVariable:
    return WorkflowVariable(
        id=variable.id,
        workflow_id=workflow_id,
        position=position,
        name=variable.name,
        kind=variable.kind.value,
        data_type=variable.data_type.value,
        description=variable.description,
        is_required=variable.is_required,
        default_value=variable.default,
        validation=None if variable.validation is None else dict(variable.validation),
    )
