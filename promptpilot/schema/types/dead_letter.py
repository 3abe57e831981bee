"""Dead letters: which a list shows, and what is done with them."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.dead_letters import DeadLetterStatus
from promptpilot.errors import InvariantBroken
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link, links
from promptpilot.schema.selection import shown_execution
from promptpilot.schema.types.outcome import ExecutionError
from promptpilot.schema.types.relay import Node
from promptpilot.schema.types.user_error import UserError


@strawberry.type(
    description=(
        "An execution that no person started and that FAILED for good: retries used up, or its"
        " worker lost too often."
    )
)
class DeadLetter(Node):
    """An execution that no person started and that FAILED for good."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    status: DeadLetterStatus = strawberry.field(description="Where it is.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    resolved_at: datetime | None = strawberry.field(
        description="When it was replayed or discarded."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.DeadLetter)

    @declare.field(description="The execution that failed.", graphql_type=link("WorkflowExecution"))
    @staticmethod
    async def execution(root: Parent[rows.DeadLetter], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(description="Why.")
    @staticmethod
    def error(root: Parent[rows.DeadLetter]) -> ExecutionError:
        error = ExecutionError.of(root.error)
        if error is None:
            raise InvariantBroken(f"The dead letter {root.id} has no error.")
        return error

    @declare.field(
        description="The execution that replayed it.",
        graphql_type=link("WorkflowExecution") | None,
    )
    @staticmethod
    async def replay(root: Parent[rows.DeadLetter], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.replay_execution_id)


@strawberry.input(description="Filter for dead letters.")
class DeadLetterFilter:
    """Filter for dead letters."""

    statuses: list[DeadLetterStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these; OPEN if left out."
    )
    workflow_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Of these workflows."
    )
    error_codes: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="With any of these error codes."
    )


@strawberry.input(
    description=("Run dead letters again from the step that failed, reusing finished steps.")
)
class ReplayDeadLettersInput:
    """Run dead letters again from the step that failed, reusing finished steps."""

    ids: list[strawberry.ID] = strawberry.field(description="Which, at most 500.")


@strawberry.type(description="Result of replayDeadLetters.")
class ReplayDeadLettersPayload:
    """Result of replayDeadLetters."""

    dead_letters: list[rows.DeadLetter] = strawberry.field(
        default_factory=list,
        graphql_type=links("DeadLetter"),
        description="The dead letters, with their replays.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.input(description="Put dead letters aside.")
class DiscardDeadLettersInput:
    """Put dead letters aside."""

    ids: list[strawberry.ID] = strawberry.field(description="Which, at most 500.")


@strawberry.type(description="Result of discardDeadLetters.")
class DiscardDeadLettersPayload:
    """Result of discardDeadLetters."""

    dead_letters: list[rows.DeadLetter] = strawberry.field(
        default_factory=list,
        graphql_type=links("DeadLetter"),
        description="The dead letters.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
