"""Steps as clients send them."""

from __future__ import annotations

from typing import Final

import strawberry

from promptpilot.engine import definition, step_configs
from promptpilot.engine.definition import UnknownOutcomePolicy
from promptpilot.errors import InvalidInput
from promptpilot.schema.given import Path, given, texts
from promptpilot.schema.scalars import Expression, JSONObject
from promptpilot.schema.types.model_target import (
    ModelRoutingInput,
    ModelTargetInput,
)
from promptpilot.schema.types.step_config_decision import DecisionStepConfigInput
from promptpilot.schema.types.step_config_webhook import WebhookStepConfigInput

_MEMBERS: Final = "prompt, condition, transform, delay, webhook and decision"


@strawberry.input(description="PROMPT step; give `promptId` or `content`.")
class PromptStepConfigInput:
    """PROMPT step; give `promptId` or `content`."""

    prompt_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Stored prompt."
    )
    prompt_version_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Pin to this version."
    )
    content: str | None = strawberry.field(
        default=strawberry.UNSET, description="Text written into the step."
    )
    instructions: str | None = strawberry.field(
        default=strawberry.UNSET, description="System instructions."
    )
    models: list[ModelTargetInput] = strawberry.field(description="Models to call, at least one.")
    routing: ModelRoutingInput | None = strawberry.field(
        default=strawberry.UNSET, description="How several are used."
    )

    def to_config(self) -> step_configs.PromptConfig:
        """Return the configuration as the engine knows it."""
        return step_configs.PromptConfig(
            models=tuple(model.to_target() for model in self.models),
            content=given(self.content),
            instructions=given(self.instructions),
            prompt_id=given(self.prompt_id),
            prompt_version_id=given(self.prompt_version_id),
            routing=self.routing.to_routing() if self.routing else step_configs.ModelRouting(),
        )


@strawberry.input(
    description=(
        "CONDITION step. Steps are named, not given by id, so that a whole workflow can be sent"
        " at once."
    )
)
class ConditionStepConfigInput:
    """CONDITION step."""

    condition: Expression = strawberry.field(description="What is tested; must yield a boolean.")
    then_step_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Name of the later step to go to if it is true."
    )
    else_step_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Name of the step to go to if not."
    )

    def to_config(self) -> step_configs.ConditionConfig:
        """Return the configuration as the engine knows it."""
        return step_configs.ConditionConfig(
            condition=self.condition,
            then_step=given(self.then_step_name),
            else_step=given(self.else_step_name),
        )


@strawberry.input(description="TRANSFORM step.")
class TransformStepConfigInput:
    """TRANSFORM step."""

    set: JSONObject = strawberry.field(description="The step's output: field -> expression.")

    def to_config(self, path: Path) -> step_configs.TransformConfig:
        """Return the configuration as the engine knows it; raise InvalidInput."""
        return step_configs.TransformConfig(set=texts(self.set, (*path, "set")))


@strawberry.input(description="DELAY step; give one of the two.")
class DelayStepConfigInput:
    """DELAY step; give one of the two."""

    duration_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="How long, 1 second to 365 days."
    )
    until: Expression | None = strawberry.field(
        default=strawberry.UNSET, description="Expression that yields a time."
    )
    reason: str | None = strawberry.field(default=strawberry.UNSET, description="Why.")

    def to_config(self) -> step_configs.DelayConfig:
        """Return the configuration as the engine knows it."""
        return step_configs.DelayConfig(
            duration_seconds=given(self.duration_seconds),
            until=given(self.until),
            reason=given(self.reason),
        )


@strawberry.input(
    one_of=True,
    description=("Configuration of a step: exactly one member, which also says the step's type."),
)
class StepConfigInput:
    """Configuration of a step: exactly one member, which also says the step's type."""

    prompt: PromptStepConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="PROMPT"
    )
    condition: ConditionStepConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="CONDITION"
    )
    transform: TransformStepConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="TRANSFORM"
    )
    delay: DelayStepConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="DELAY"
    )
    webhook: WebhookStepConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="WEBHOOK"
    )
    decision: DecisionStepConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="DECISION"
    )

    def to_config(self, path: Path) -> step_configs.StepConfig:
        """Return the one configuration that was given; raise InvalidInput."""
        if self.transform:
            return self.transform.to_config((*path, "transform"))
        members = (self.prompt, self.condition, self.delay, self.webhook, self.decision)
        given_one = next((member for member in members if member), None)
        if given_one is None:
            raise InvalidInput(f"Give exactly one of {_MEMBERS}.", path)
        return given_one.to_config()


@strawberry.input(description="Retries.")
class RetryPolicyInput:
    """Retries."""

    max_attempts: int = strawberry.field(default=1, description="Attempts in all, 1 to 10.")
    initial_delay_ms: int = strawberry.field(
        default=1000, description="Wait before the second attempt."
    )
    max_delay_ms: int = strawberry.field(default=60000, description="Longest wait.")
    backoff_factor: float = strawberry.field(default=2.0, description="Factor from wait to wait.")

    def to_policy(self) -> definition.RetryPolicy:
        """Return the policy as the engine knows it."""
        return definition.RetryPolicy(
            max_attempts=self.max_attempts,
            initial_delay_ms=self.initial_delay_ms,
            max_delay_ms=self.max_delay_ms,
            backoff_factor=self.backoff_factor,
        )


@strawberry.input(
    description=(
        "A step, as part of a whole definition. With `id` an existing step is changed and keeps"
        " its history; steps left out are deleted."
    )
)
class WorkflowStepInput:
    """A step, as part of a whole definition."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Existing step."
    )
    name: str = strawberry.field(description="Name, unique in the workflow.")
    config: StepConfigInput = strawberry.field(description="What to do.")
    inputs: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Where each input comes from."
    )
    outputs: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Names for parts of the output."
    )
    run_if: Expression | None = strawberry.field(
        default=strawberry.UNSET, description="Runs only if this is true."
    )
    retry: RetryPolicyInput | None = strawberry.field(
        default=strawberry.UNSET, description="Retries."
    )
    timeout_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="Time allowed for one attempt."
    )
    continue_on_error: bool = strawberry.field(default=False, description="Go on after a failure.")
    on_unknown_outcome: UnknownOutcomePolicy = strawberry.field(
        default=UnknownOutcomePolicy.RETRY,
        description="When nobody knows whether an attempt had its effect.",
    )

    def to_step(self, path: Path) -> definition.Step:
        """Return the step as the engine knows it; raise InvalidInput, naming what is wrong."""
        return definition.Step(
            id=self.id or "",
            name=self.name,
            config=self.config.to_config((*path, "config")),
            inputs=texts(self.inputs or {}, (*path, "inputs")),
            outputs=texts(self.outputs or {}, (*path, "outputs")),
            run_if=given(self.run_if),
            retry=self.retry.to_policy() if self.retry else definition.RetryPolicy(),
            timeout_seconds=given(self.timeout_seconds),
            continue_on_error=self.continue_on_error,
            on_unknown_outcome=self.on_unknown_outcome,
        )
