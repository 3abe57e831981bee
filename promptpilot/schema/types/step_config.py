"""What each type of step is told to do."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine import definition
from promptpilot.engine.definition import (
    StepType,
)
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.scalars import Expression, JSONObject
from promptpilot.schema.types.model_target import (
    ModelRouting,
    ModelTarget,
)


@strawberry.type(description="Calls models with a prompt.")
class PromptStepConfig:
    """Calls models with a prompt."""

    content: str | None = strawberry.field(description="Text written into the step itself.")
    instructions: str | None = strawberry.field(description="System instructions.")
    models: tuple[definition.ModelTarget, ...] = strawberry.field(
        graphql_type=list[ModelTarget], description="Models to call."
    )
    routing: definition.ModelRouting = strawberry.field(
        graphql_type=ModelRouting, description="How several models are used."
    )


@strawberry.type(description="Goes on at one of two steps.")
class ConditionStepConfig:
    """Goes on at one of two steps."""

    condition: Expression = strawberry.field(description="What is tested; must yield a boolean.")
    workflow_id: strawberry.Private[str]
    then_name: strawberry.Private[str | None]
    else_name: strawberry.Private[str | None]

    @declare.field(
        description="Where to go if it is true (a later step); null means the next step.",
        graphql_type=link("WorkflowStep") | None,
    )
    @staticmethod
    async def then_step(root: Parent[ConditionStepConfig], info: Info) -> rows.WorkflowStep | None:
        return await _step(root.workflow_id, root.then_name, info)

    @declare.field(
        description="Where to go if not; null means the next step.",
        graphql_type=link("WorkflowStep") | None,
    )
    @staticmethod
    async def else_step(root: Parent[ConditionStepConfig], info: Info) -> rows.WorkflowStep | None:
        return await _step(root.workflow_id, root.else_name, info)


@strawberry.type(
    description=("Computes values. Expressions only: no user code runs on the server.")
)
class TransformStepConfig:
    """Computes values. Expressions only: no user code runs on the server."""

    set: JSONObject = strawberry.field(
        description=(
            "The step's output: field -> expression, evaluated in order; later fields may"
            " read earlier ones as `output.<field>`."
        )
    )


StepConfig = Annotated[
    PromptStepConfig | ConditionStepConfig | TransformStepConfig,
    strawberry.union(
        "StepConfig",
        description=(
            "Configuration of a step, by its type. Fields of the same name have the same type in"
            " all members."
        ),
    ),
]


def show_config(
    step: rows.WorkflowStep,
) -> PromptStepConfig | ConditionStepConfig | TransformStepConfig:
    """Return the configuration of a stored step."""
    match definition.load_config(StepType(step.type), step.config):
        case definition.PromptConfig() as prompt:
            return PromptStepConfig(
                content=prompt.content,
                instructions=prompt.instructions,
                models=prompt.models,
                routing=prompt.routing,
            )
        case definition.ConditionConfig() as condition:
            return ConditionStepConfig(
                condition=Expression(condition.condition),
                workflow_id=step.workflow_id,
                then_name=condition.then_step,
                else_name=condition.else_step,
            )
        case definition.TransformConfig() as transform:
            return TransformStepConfig(set=JSONObject(dict(transform.set)))


async def _step(workflow_id: str, name: str | None, info: Info) -> rows.WorkflowStep | None:
    steps = await info.context.loaders.steps.load(workflow_id) if name else []
    return next((step for step in steps if step.name == name), None)
