"""Every time a trigger fired, was called or was due."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.triggers.kinds import FiringOutcome
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.loaders import if_any
from promptpilot.schema.scalars import JSON
from promptpilot.schema.selection import shown_execution
from promptpilot.schema.types.outcome import ExecutionError
from promptpilot.schema.types.relay import Node


@strawberry.type(description="Result of checking who called.")
class FiringVerification:
    """Result of checking who called."""

    scheme: WebhookScheme = strawberry.field(description="Scheme used.")
    is_verified: bool = strawberry.field(description="Whether the signature or key was right.")
    failure_code: str | None = strawberry.field(
        description=(
            "Reason it was refused, e.g. `SIGNATURE_MISMATCH`, `TIMESTAMP_TOO_OLD`; null"
            " when it was right."
        )
    )
    used_previous_secret: bool = strawberry.field(
        description="The call matched the previous secret, within its grace period."
    )


@strawberry.type(description="One time a trigger fired, was called or was due.")
class TriggerFiring(Node):
    """One time a trigger fired, was called or was due."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    outcome: FiringOutcome = strawberry.field(description="What came of it.")
    scheduled_for: datetime | None = strawberry.field(
        description="The instant it was due (SCHEDULED)."
    )
    dedupe_key: str | None = strawberry.field(
        description="Message id, event id or idempotency key that makes it unique."
    )
    payload: JSON | None = strawberry.field(
        description="Body received, cut to 64 KiB, with secrets taken out."
    )
    created_at: datetime = strawberry.field(description="When it was received or handled.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.Firing)

    @declare.field(description="The trigger.", graphql_type=link("WorkflowTrigger"))
    @staticmethod
    async def trigger(root: Parent[rows.Firing], info: Info) -> rows.Trigger | None:
        return await info.context.loaders.trigger.load(root.trigger_id)

    @declare.field(description="How the call was verified (WEBHOOK, API).")
    @staticmethod
    def verification(root: Parent[rows.Firing]) -> FiringVerification | None:
        if root.scheme is None:
            return None
        return FiringVerification(
            scheme=WebhookScheme(root.scheme),
            is_verified=bool(root.is_verified),
            failure_code=root.failure_code,
            used_previous_secret=bool(root.used_previous_secret),
        )

    @declare.field(
        description=(
            "Who fired it by hand or dispatched its event; null for all others, and when the"
            " account is gone."
        ),
        graphql_type=link("User") | None,
    )
    @staticmethod
    async def actor(root: Parent[rows.Firing], info: Info) -> rows.User | None:
        return await if_any(info.context.loaders.user, root.actor_id)

    @declare.field(description="Why nothing was started.")
    @staticmethod
    def error(root: Parent[rows.Firing]) -> ExecutionError | None:
        return ExecutionError.of(root.error)

    @declare.field(
        description="The execution started, or the earlier one for a DUPLICATE.",
        graphql_type=link("WorkflowExecution") | None,
    )
    @staticmethod
    async def execution(root: Parent[rows.Firing], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)
