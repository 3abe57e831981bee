"""Which triggers a list shows, and how triggers are made and changed."""

from __future__ import annotations

from typing import Final

import strawberry

from promptpilot import models as rows
from promptpilot.engine import drafts
from promptpilot.engine.triggers.events import EventDraft
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.schema.given import changed, changed_to, given
from promptpilot.schema.scalars import JSONObject
from promptpilot.schema.types.relay import DateTimeRange
from promptpilot.schema.types.trigger_config_input import TriggerConfigInput

_CONFIG_PATH: Final = ("input", "config")


@strawberry.input(description="Filter for triggers.")
class WorkflowTriggerFilter:
    """Filter for triggers."""

    types: list[TriggerType] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these kinds."
    )
    is_active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Active or not."
    )

    def matches(self, trigger: rows.Trigger) -> bool:
        """Whether all given conditions hold for a trigger."""
        types, is_active = given(self.types), given(self.is_active)
        is_of_type = types is None or trigger.type in types
        return is_of_type and (is_active is None or is_active == trigger.is_active)


@strawberry.input(description="Filter for firings.")
class TriggerFiringFilter:
    """Filter for firings."""

    outcomes: list[FiringOutcome] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these."
    )
    created_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="In this range."
    )


@strawberry.input(description="New trigger.")
class CreateTriggerInput:
    """New trigger."""

    workflow_id: strawberry.ID = strawberry.field(description="The workflow.")
    name: str = strawberry.field(description="Name.")
    config: TriggerConfigInput = strawberry.field(description="Settings.")
    input: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Default input."
    )
    is_active: bool = strawberry.field(default=True, description="Switched on.")

    def to_draft(self) -> drafts.TriggerDraft:
        """Return the trigger as the engine knows it; raise InvalidInput."""
        return drafts.TriggerDraft(
            workflow_id=self.workflow_id,
            name=self.name,
            config=self.config.to_config(_CONFIG_PATH),
            input=given(self.input) or {},
            is_active=self.is_active,
        )


@strawberry.input(description="Change of a trigger. A config of another type changes the type.")
class UpdateTriggerInput:
    """Change of a trigger. A config of another type changes the type."""

    id: strawberry.ID = strawberry.field(description="The trigger.")
    expected_revision: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Fails with CONFLICT if the trigger has another revision by now.",
    )
    name: str | None = strawberry.field(default=strawberry.UNSET, description="New name.")
    config: TriggerConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="New settings."
    )
    input: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="New default input."
    )
    is_active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Switch on or off."
    )

    def to_change(self) -> drafts.TriggerChange:
        """Return the change as the engine knows it; raise InvalidInput."""
        return drafts.TriggerChange(
            id=self.id,
            expected_revision=given(self.expected_revision),
            name=changed(self.name),
            config=changed_to(self.config, lambda config: config.to_config(_CONFIG_PATH)),
            input=changed(self.input),
            is_active=changed(self.is_active),
        )


@strawberry.input(description="New secret or key for a WEBHOOK or API trigger.")
class RotateTriggerSecretInput:
    """New secret or key for a WEBHOOK or API trigger."""

    id: strawberry.ID = strawberry.field(description="The trigger.")
    grace_seconds: int = strawberry.field(
        default=86400, description="How long the old one goes on working."
    )


@strawberry.input(description="Delete a trigger.")
class DeleteTriggerInput:
    """Delete a trigger."""

    id: strawberry.ID = strawberry.field(description="The trigger.")


@strawberry.input(
    description=("Fire a trigger by hand, whatever its type; works on inactive triggers too.")
)
class RunTriggerInput:
    """Fire a trigger by hand, whatever its type; works on inactive triggers too."""

    id: strawberry.ID = strawberry.field(description="The trigger.")
    input: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Values over the trigger's default input."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET, description="As in StartExecutionInput."
    )


@strawberry.input(description="Dispatch an event to the caller's EVENT triggers.")
class DispatchEventInput:
    """Dispatch an event to the caller's EVENT triggers."""

    event_type: str = strawberry.field(description="Event type, e.g. `order.created`.")
    payload: JSONObject = strawberry.field(description="The event's data.")
    workflow_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Only triggers of this workflow."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET, description="As in StartExecutionInput."
    )

    def to_draft(self) -> EventDraft:
        """Return the event as the engine knows it."""
        return EventDraft(
            event_type=self.event_type,
            payload=self.payload,
            workflow_id=given(self.workflow_id),
            idempotency_key=given(self.idempotency_key),
        )
