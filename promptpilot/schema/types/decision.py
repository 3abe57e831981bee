"""Decisions of persons: the ones that wait, and the ones that were made."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.progress import StepView
from promptpilot.engine.step_configs import StepType
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.loaders import if_any


@strawberry.type(description="A decision that waits for a person.")
class PendingDecision:
    """A decision that waits for a person."""

    choices: list[str] = strawberry.field(description="Names to choose from.")
    default_choice: str | None = strawberry.field(description="Taken when time is up.")
    expires_at: datetime | None = strawberry.field(description="When time is up.")
    question: str | None = strawberry.field(
        description="What the person is asked; null when the step has no question."
    )

    @classmethod
    def of(cls, view: StepView) -> PendingDecision | None:
        """Return what a step asks a person; None for a step that does not wait for one."""
        is_decision = view.type is StepType.DECISION and view.status is StepStatus.WAITING
        if not is_decision or not isinstance(view.input, dict) or "choices" not in view.input:
            return None
        return cls(
            choices=view.input["choices"],
            default_choice=view.input["defaultChoice"],
            expires_at=view.wake_at,
            question=view.input["question"],
        )


@strawberry.type(description="What a person chose at a DECISION step.")
class StepDecision:
    """What a person chose at a DECISION step."""

    choice: str = strawberry.field(description="Name of the choice.")
    comment: str | None = strawberry.field(description="Why.")

    @declare.field(
        description="Who chose; null when the account is gone or may not be seen.",
        graphql_type=link("User") | None,
    )
    @staticmethod
    async def decided_by(root: Parent[rows.Decision], info: Info) -> rows.User | None:
        return await if_any(info.context.loaders.user, root.actor_id)

    @declare.field(description="When the choice was made.")
    @staticmethod
    def decided_at(root: Parent[rows.Decision]) -> datetime:
        return root.at
