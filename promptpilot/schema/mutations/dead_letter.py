"""Running dead letters again, and putting them aside."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.types.dead_letter import (
    DiscardDeadLettersInput,
    DiscardDeadLettersPayload,
    ReplayDeadLettersInput,
    ReplayDeadLettersPayload,
)


@strawberry.type
class DeadLetterMutations:
    """Running dead letters again, and putting them aside."""

    @declare.mutation(description="Run dead letters again.")
    @staticmethod
    @reporting(ReplayDeadLettersPayload)
    async def replay_dead_letters(
        info: Info, input: Annotated[ReplayDeadLettersInput, ARGUMENTS]
    ) -> ReplayDeadLettersPayload:
        caller = info.context.require()
        replayed = await info.context.engine.replay_dead_letters(caller, input.ids)
        return ReplayDeadLettersPayload(dead_letters=replayed)

    @declare.mutation(description="Put dead letters aside.")
    @staticmethod
    @reporting(DiscardDeadLettersPayload)
    async def discard_dead_letters(
        info: Info, input: Annotated[DiscardDeadLettersInput, ARGUMENTS]
    ) -> DiscardDeadLettersPayload:
        caller = info.context.require()
        discarded = await info.context.engine.discard_dead_letters(caller, input.ids)
        return DiscardDeadLettersPayload(dead_letters=discarded)
