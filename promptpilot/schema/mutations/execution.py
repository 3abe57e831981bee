"""Starting and stopping executions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.given import given
from promptpilot.schema.types.execution_input import CancelExecutionInput, StartExecutionInput
from promptpilot.schema.types.payloads import (
    CancelExecutionPayload,
    DispatchEventPayload,
    RunTriggerPayload,
    StartExecutionPayload,
)
from promptpilot.schema.types.trigger_input import DispatchEventInput, RunTriggerInput


@strawberry.type
class ExecutionMutations:
    """Starting and stopping executions."""

    @declare.mutation(description="Start a workflow.")
    @staticmethod
    @reporting(StartExecutionPayload)
    async def start_execution(
        info: Info, input: Annotated[StartExecutionInput, ARGUMENTS]
    ) -> StartExecutionPayload:
        launched = await info.context.engine.start_execution(
            info.context.require(),
            input.workflow_id,
            given(input.input),
            given(input.idempotency_key),
            given(input.start_at),
        )
        execution = await info.context.loaders.execution.load(launched.execution_id)
        return StartExecutionPayload(execution=execution, is_new=launched.is_new)

    @declare.mutation(description="Fire a trigger by hand.")
    @staticmethod
    @reporting(RunTriggerPayload)
    async def run_trigger(
        info: Info, input: Annotated[RunTriggerInput, ARGUMENTS]
    ) -> RunTriggerPayload:
        launched = await info.context.engine.run_trigger(
            info.context.require(), input.id, given(input.input), given(input.idempotency_key)
        )
        execution = await info.context.loaders.execution.load(launched.execution_id)
        return RunTriggerPayload(execution=execution, is_new=launched.is_new)

    @declare.mutation(description="Dispatch an event to EVENT triggers.")
    @staticmethod
    @reporting(DispatchEventPayload)
    async def dispatch_event(
        info: Info, input: Annotated[DispatchEventInput, ARGUMENTS]
    ) -> DispatchEventPayload:
        caller = info.context.require()
        dispatched = await info.context.engine.dispatch_event(caller, input.to_draft())
        found = await info.context.loaders.execution.load_many(dispatched.execution_ids)
        executions = [each for each in found if each is not None]
        return DispatchEventPayload(executions=executions, is_new=dispatched.is_new)

    @declare.mutation(description="Stop an execution.")
    @staticmethod
    @reporting(CancelExecutionPayload)
    async def cancel_execution(
        info: Info, input: Annotated[CancelExecutionInput, ARGUMENTS]
    ) -> CancelExecutionPayload:
        caller = info.context.require()
        await info.context.engine.cancel_execution(caller, input.id, given(input.reason))
        execution = await info.context.loaders.execution_now(input.id)
        return CancelExecutionPayload(execution=execution)
