"""Steps of a workflow."""

from __future__ import annotations

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine import definition
from promptpilot.engine.definition import UnknownOutcomePolicy
from promptpilot.engine.step_configs import StepType
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.scalars import Expression, JSONObject
from promptpilot.schema.types.relay import Node
from promptpilot.schema.types.step_config import StepConfig, show_config


@strawberry.type(
    description=("How failed attempts are tried again: exponential backoff with full jitter.")
)
class RetryPolicy:
    """How failed attempts are tried again: exponential backoff with full jitter."""

    max_attempts: int = strawberry.field(description="Attempts in all; 1 means no retry.")
    initial_delay_ms: int = strawberry.field(description="Wait before the second attempt.")
    max_delay_ms: int = strawberry.field(description="Longest wait.")
    backoff_factor: float = strawberry.field(description="Factor from wait to wait.")


@strawberry.type(description="One step of a workflow.")
class WorkflowStep(Node):
    """One step of a workflow."""

    id: strawberry.ID = strawberry.field(
        description="Globally unique id; stays the same across revisions while the step exists."
    )
    name: str = strawberry.field(
        description=("Name, unique in the workflow; later steps read its output as `steps.<name>`.")
    )
    type: StepType = strawberry.field(description="Kind; says which member `config` is.")
    inputs: JSONObject = strawberry.field(
        description=(
            "Where each input comes from: name -> expression over `input`, `steps`, `variables`."
        )
    )
    outputs: JSONObject = strawberry.field(
        description="Names under which parts of the output are visible later: name -> path."
    )
    run_if: Expression | None = strawberry.field(
        description="Runs only if this is true; SKIPPED otherwise. Null means always."
    )
    timeout_seconds: int | None = strawberry.field(
        description="Time allowed for one attempt; null means the server's default."
    )
    continue_on_error: bool = strawberry.field(description="Whether a failure ends the execution.")
    on_unknown_outcome: UnknownOutcomePolicy = strawberry.field(
        description="What follows when nobody knows whether an attempt had its effect."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.WorkflowStep)

    @declare.field(description="Position, from 0.")
    @staticmethod
    def order(root: Parent[rows.WorkflowStep]) -> int:
        return root.position

    @declare.field(description="What to do.")
    @staticmethod
    def config(root: Parent[rows.WorkflowStep]) -> StepConfig:
        return show_config(root)

    @declare.field(description="Retries on failure.", graphql_type=RetryPolicy)
    @staticmethod
    def retry(root: Parent[rows.WorkflowStep]) -> definition.RetryPolicy:
        return definition.RetryPolicy(**root.retry)

    @declare.field(description="The workflow.", graphql_type=link("Workflow"))
    @staticmethod
    async def workflow(root: Parent[rows.WorkflowStep], info: Info) -> rows.Workflow | None:
        return await info.context.loaders.workflow.load(root.workflow_id)
