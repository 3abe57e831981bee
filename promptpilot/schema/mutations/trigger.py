"""Making, changing and deleting triggers, and their secrets."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.types.payloads import (
    CreateTriggerPayload,
    DeleteTriggerPayload,
    RotateTriggerSecretPayload,
    UpdateTriggerPayload,
)
from promptpilot.schema.types.trigger_input import (
    CreateTriggerInput,
    DeleteTriggerInput,
    RotateTriggerSecretInput,
    UpdateTriggerInput,
)


@strawberry.type
class TriggerMutations:
    """Making, changing and deleting triggers, and their secrets."""

    @declare.mutation(description="Make a trigger.")
    @staticmethod
    @reporting(CreateTriggerPayload)
    async def create_trigger(
        info: Info, input: Annotated[CreateTriggerInput, ARGUMENTS]
    ) -> CreateTriggerPayload:
        caller = info.context.require()
        trigger, secret = await info.context.engine.create_trigger(caller, input.to_draft())
        return CreateTriggerPayload(trigger=trigger, secret=secret)

    @declare.mutation(description="Change a trigger.")
    @staticmethod
    @reporting(UpdateTriggerPayload)
    async def update_trigger(
        info: Info, input: Annotated[UpdateTriggerInput, ARGUMENTS]
    ) -> UpdateTriggerPayload:
        caller = info.context.require()
        trigger, secret = await info.context.engine.update_trigger(caller, input.to_change())
        return UpdateTriggerPayload(trigger=trigger, secret=secret)

    @declare.mutation(description="Make a new secret or key for a trigger.")
    @staticmethod
    @reporting(RotateTriggerSecretPayload)
    async def rotate_trigger_secret(
        info: Info, input: Annotated[RotateTriggerSecretInput, ARGUMENTS]
    ) -> RotateTriggerSecretPayload:
        trigger, secret = await info.context.engine.rotate_trigger_secret(
            info.context.require(), input.id, input.grace_seconds
        )
        return RotateTriggerSecretPayload(trigger=trigger, secret=secret)

    @declare.mutation(description="Delete a trigger.")
    @staticmethod
    @reporting(DeleteTriggerPayload)
    async def delete_trigger(
        info: Info, input: Annotated[DeleteTriggerInput, ARGUMENTS]
    ) -> DeleteTriggerPayload:
        deleted_id = await info.context.engine.delete_trigger(info.context.require(), input.id)
        return DeleteTriggerPayload(deleted_id=strawberry.ID(deleted_id))
