"""What each type of step is told to do."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine import step_configs
from promptpilot.engine.step_configs import StepType
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.loaders import if_any
from promptpilot.schema.scalars import Expression, JSONObject
from promptpilot.schema.types.model_target import (
    ModelRouting,
    ModelTarget,
)
from promptpilot.schema.types.step_config_decision import DecisionStepConfig
from promptpilot.schema.types.step_config_webhook import WebhookStepConfig


@strawberry.type(description="Calls models with a prompt.")
class PromptStepConfig:
    """Calls models with a prompt."""

    prompt_id: strawberry.Private[str | None]
    prompt_version_id: strawberry.Private[str | None]
    content: str | None = strawberry.field(description="Text written into the step itself.")
    instructions: str | None = strawberry.field(description="System instructions.")
    models: tuple[step_configs.ModelTarget, ...] = strawberry.field(
        graphql_type=list[ModelTarget], description="Models to call."
    )
    routing: step_configs.ModelRouting = strawberry.field(
        graphql_type=ModelRouting, description="How several models are used."
    )

    @classmethod
    def of(cls, config: step_configs.PromptConfig) -> PromptStepConfig:
        """Show a stored configuration."""
        return cls(
            prompt_id=config.prompt_id,
            prompt_version_id=config.prompt_version_id,
            content=config.content,
            instructions=config.instructions,
            models=config.models,
            routing=config.routing,
        )

    @declare.field(
        description="Stored prompt; null when `content` is used.",
        graphql_type=link("Prompt") | None,
    )
    @staticmethod
    async def prompt(root: Parent[PromptStepConfig], info: Info) -> rows.Prompt | None:
        return await if_any(info.context.loaders.prompt, root.prompt_id)

    @declare.field(
        description="Version it is pinned to; null means the current one.",
        graphql_type=link("PromptVersion") | None,
    )
    @staticmethod
    async def prompt_version(
        root: Parent[PromptStepConfig], info: Info
    ) -> rows.PromptVersion | None:
        return await if_any(info.context.loaders.prompt_version, root.prompt_version_id)


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
        return await info.context.loaders.step_named(root.workflow_id, root.then_name)

    @declare.field(
        description="Where to go if not; null means the next step.",
        graphql_type=link("WorkflowStep") | None,
    )
    @staticmethod
    async def else_step(root: Parent[ConditionStepConfig], info: Info) -> rows.WorkflowStep | None:
        return await info.context.loaders.step_named(root.workflow_id, root.else_name)


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


@strawberry.type(description="Waits, without occupying a worker.")
class DelayStepConfig:
    """Waits, without occupying a worker."""

    duration_seconds: int | None = strawberry.field(
        description="How long; null when `until` is used."
    )
    until: Expression | None = strawberry.field(
        description="Expression that yields a time; null when `durationSeconds` is used."
    )
    reason: str | None = strawberry.field(description="Why, for people.")


ShownConfig = (
    PromptStepConfig
    | ConditionStepConfig
    | TransformStepConfig
    | DelayStepConfig
    | WebhookStepConfig
    | DecisionStepConfig
)

StepConfig = Annotated[
    ShownConfig,
    strawberry.union(
        "StepConfig",
        description=(
            "Configuration of a step, by its type. Fields of the same name have the same type in"
            " all members."
        ),
    ),
]


def show_config(step: rows.WorkflowStep) -> ShownConfig:
    """Return the configuration of a stored step."""
    match step_configs.load_config(StepType(step.type), step.config):
        case step_configs.PromptConfig() as prompt:
            return PromptStepConfig.of(prompt)
        case step_configs.ConditionConfig() as condition:
            return ConditionStepConfig(
                condition=Expression(condition.condition),
                workflow_id=step.workflow_id,
                then_name=condition.then_step,
                else_name=condition.else_step,
            )
        case step_configs.TransformConfig() as transform:
            return TransformStepConfig(set=JSONObject(dict(transform.set)))
        case step_configs.DelayConfig() as delay:
            return DelayStepConfig(
                duration_seconds=delay.duration_seconds,
                until=None if delay.until is None else Expression(delay.until),
                reason=delay.reason,
            )
        case step_configs.RequestConfig() as request:
            return WebhookStepConfig.of(request)
        case step_configs.DecisionConfig() as decision:
            return DecisionStepConfig.of(decision, step.workflow_id)
