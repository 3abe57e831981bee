"""Making, changing, taking back and deleting prompts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.types.prompt_input import (
    CreatePromptInput,
    DeletePromptInput,
    RevertPromptInput,
    UpdatePromptInput,
)
from promptpilot.schema.types.prompt_payloads import (
    CreatePromptPayload,
    DeletePromptPayload,
    RevertPromptPayload,
    UpdatePromptPayload,
)


@strawberry.type
class PromptMutations:
    """Making, changing, taking back and deleting prompts."""

    @declare.mutation(description="Make a prompt.")
    @staticmethod
    @reporting(CreatePromptPayload)
    async def create_prompt(
        info: Info, input: Annotated[CreatePromptInput, ARGUMENTS]
    ) -> CreatePromptPayload:
        caller = info.context.require()
        prompt = await info.context.engine.prompts.create(caller, input.to_draft())
        return CreatePromptPayload(prompt=prompt)

    @declare.mutation(description="Change a prompt.")
    @staticmethod
    @reporting(UpdatePromptPayload)
    async def update_prompt(
        info: Info, input: Annotated[UpdatePromptInput, ARGUMENTS]
    ) -> UpdatePromptPayload:
        caller = info.context.require()
        changed = await info.context.engine.prompts.update(caller, input.to_change())
        info.context.loaders.forget()  # an earlier mutation of the request may have shown it
        return UpdatePromptPayload(prompt=changed.prompt, version=changed.version)

    @declare.mutation(description="Go back to an older version of a prompt.")
    @staticmethod
    @reporting(RevertPromptPayload)
    async def revert_prompt(
        info: Info, input: Annotated[RevertPromptInput, ARGUMENTS]
    ) -> RevertPromptPayload:
        caller = info.context.require()
        changed = await info.context.engine.prompts.revert(caller, input.to_reversal())
        info.context.loaders.forget()
        return RevertPromptPayload(prompt=changed.prompt, version=changed.version)

    @declare.mutation(description="Delete a prompt that no workflow uses.")
    @staticmethod
    @reporting(DeletePromptPayload)
    async def delete_prompt(
        info: Info, input: Annotated[DeletePromptInput, ARGUMENTS]
    ) -> DeletePromptPayload:
        caller = info.context.require()
        deleted_id = await info.context.engine.prompts.delete(caller, input.id)
        return DeletePromptPayload(deleted_id=strawberry.ID(deleted_id))
