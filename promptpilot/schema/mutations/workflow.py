"""Making, changing, copying and deleting workflows."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.given import given
from promptpilot.schema.types.payloads import (
    CreateWorkflowPayload,
    DeleteWorkflowPayload,
    DuplicateWorkflowPayload,
    UpdateWorkflowPayload,
)
from promptpilot.schema.types.workflow_input import (
    CreateWorkflowInput,
    DeleteWorkflowInput,
    DuplicateWorkflowInput,
    UpdateWorkflowInput,
)


@strawberry.type
class WorkflowMutations:
    """Making, changing, copying and deleting workflows."""

    @declare.mutation(description="Make a workflow.")
    @staticmethod
    @reporting(CreateWorkflowPayload)
    async def create_workflow(
        info: Info, input: Annotated[CreateWorkflowInput, ARGUMENTS]
    ) -> CreateWorkflowPayload:
        caller = info.context.require()
        workflow = await info.context.engine.create_workflow(caller, input.to_draft())
        return CreateWorkflowPayload(workflow=workflow)

    @declare.mutation(description="Change a workflow.")
    @staticmethod
    @reporting(UpdateWorkflowPayload)
    async def update_workflow(
        info: Info, input: Annotated[UpdateWorkflowInput, ARGUMENTS]
    ) -> UpdateWorkflowPayload:
        caller = info.context.require()
        workflow = await info.context.engine.update_workflow(caller, input.to_change())
        return UpdateWorkflowPayload(workflow=workflow)

    @declare.mutation(description="Copy a workflow.")
    @staticmethod
    @reporting(DuplicateWorkflowPayload)
    async def duplicate_workflow(
        info: Info, input: Annotated[DuplicateWorkflowInput, ARGUMENTS]
    ) -> DuplicateWorkflowPayload:
        caller, name = info.context.require(), given(input.name)
        workflow = await info.context.engine.duplicate_workflow(caller, input.id, name)
        return DuplicateWorkflowPayload(workflow=workflow)

    @declare.mutation(description="Delete a workflow.")
    @staticmethod
    @reporting(DeleteWorkflowPayload)
    async def delete_workflow(
        info: Info, input: Annotated[DeleteWorkflowInput, ARGUMENTS]
    ) -> DeleteWorkflowPayload:
        deleted_id = await info.context.engine.delete_workflow(
            info.context.require(), input.id, cancel_running=input.cancel_running
        )
        return DeleteWorkflowPayload(deleted_id=strawberry.ID(deleted_id))
