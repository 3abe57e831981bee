"""Holding executions, letting them go on, running them again and deciding for them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.given import given
from promptpilot.schema.types.execution_input import (
    PauseExecutionInput,
    ResumeExecutionInput,
    RetryExecutionInput,
    SubmitDecisionInput,
)
from promptpilot.schema.types.payloads import (
    PauseExecutionPayload,
    ResumeExecutionPayload,
    RetryExecutionPayload,
    SubmitDecisionPayload,
)


@strawberry.type
class ControlMutations:
    """Holding executions, letting them go on, running them again and deciding for them."""

    @declare.mutation(description="Hold an execution at the next step boundary.")
    @staticmethod
    @reporting(PauseExecutionPayload)
    async def pause_execution(
        info: Info, input: Annotated[PauseExecutionInput, ARGUMENTS]
    ) -> PauseExecutionPayload:
        await info.context.engine.pause_execution(info.context.require(), input.id)
        return PauseExecutionPayload(execution=await info.context.loaders.execution_now(input.id))

    @declare.mutation(description="Let a paused execution go on.")
    @staticmethod
    @reporting(ResumeExecutionPayload)
    async def resume_execution(
        info: Info, input: Annotated[ResumeExecutionInput, ARGUMENTS]
    ) -> ResumeExecutionPayload:
        await info.context.engine.resume_execution(info.context.require(), input.id)
        return ResumeExecutionPayload(execution=await info.context.loaders.execution_now(input.id))

    @declare.mutation(description="Run a finished execution again.")
    @staticmethod
    @reporting(RetryExecutionPayload)
    async def retry_execution(
        info: Info, input: Annotated[RetryExecutionInput, ARGUMENTS]
    ) -> RetryExecutionPayload:
        launched = await info.context.engine.retry_execution(
            info.context.require(),
            input.id,
            given(input.from_step_name),
            use_newest_version=input.use_newest_version,
            idempotency_key=given(input.idempotency_key),
        )
        execution = await info.context.loaders.execution_now(launched.execution_id)
        return RetryExecutionPayload(execution=execution, is_new=launched.is_new)

    @declare.mutation(description="Choose for a decision that waits.")
    @staticmethod
    @reporting(SubmitDecisionPayload)
    async def submit_decision(
        info: Info, input: Annotated[SubmitDecisionInput, ARGUMENTS]
    ) -> SubmitDecisionPayload:
        step_id, loaders = input.step_execution_id, info.context.loaders
        await info.context.engine.submit_decision(
            info.context.require(), step_id, input.choice, given(input.comment)
        )
        loaders.forget()
        return SubmitDecisionPayload(step_execution=await loaders.step_view(step_id))
