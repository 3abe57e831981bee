"""Workflows tried out: what is asked for, and what came of it."""

from __future__ import annotations

import strawberry
from strawberry import Parent

from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.gathering import moved
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.preview_requests import (
    DEFINITION_PATH,
    PreviewMode,
    PreviewRequest,
)
from promptpilot.engine.previewing import Preview
from promptpilot.engine.rehearsal import TriedStep
from promptpilot.engine.step_configs import StepType
from promptpilot.errors import InvalidInput
from promptpilot.schema import declare
from promptpilot.schema.description import described
from promptpilot.schema.given import given
from promptpilot.schema.scalars import JSON, JSONObject, SafeInt
from promptpilot.schema.types.model_call import ModelCall
from promptpilot.schema.types.outcome import ExecutionError, TokenUsage
from promptpilot.schema.types.user_error import UserError
from promptpilot.schema.types.workflow_input import CreateWorkflowInput

described(
    PreviewMode,
    "PreviewMode",
    "What a preview may do.",
    SIMULATE=(
        "Nothing leaves the server: models are simulated, webhooks and delays skipped. Free and"
        " repeatable."
    ),
    LIVE="Models are really called with the caller's credentials; webhooks are still skipped.",
)


@strawberry.input(
    one_of=True,
    description=("A workflow to preview: a stored one, or a definition that is not saved yet."),
)
class PreviewTargetInput:
    """A workflow to preview: a stored one, or a definition that is not saved yet."""

    workflow_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Stored workflow."
    )
    definition: CreateWorkflowInput | None = strawberry.field(
        default=strawberry.UNSET, description="Definition."
    )

    def to_target(self) -> str | WorkflowDraft:
        """Return the one that was given; raise InvalidInput."""
        if self.workflow_id:
            return self.workflow_id
        if self.definition:
            with moved(DEFINITION_PATH):
                return self.definition.to_draft()
        message = "Give exactly one of workflowId and definition."
        raise InvalidInput(message, DEFINITION_PATH[:-1])


@strawberry.input(description="Try a workflow without storing anything.")
class PreviewWorkflowInput:
    """Try a workflow without storing anything."""

    target: PreviewTargetInput = strawberry.field(description="What to try.")
    input: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Values for INPUT variables."
    )
    use_sample_data: bool = strawberry.field(
        default=False, description="Make up values for required variables that are missing."
    )
    mode: PreviewMode = strawberry.field(
        default=PreviewMode.SIMULATE, description="What it may do."
    )
    to_step_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Stop after this step; by default everything is tried.",
    )
    pinned_outputs: JSONObject | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Outputs by the names of steps; these steps are not run, but taken as if they had"
            " ended with them."
        ),
    )

    def to_request(self) -> PreviewRequest:
        """Return the request as the engine knows it; raise InvalidInput or InvalidMany."""
        return PreviewRequest(
            target=self.target.to_target(),
            mode=self.mode,
            input=given(self.input) or {},
            uses_sample_data=self.use_sample_data,
            to_step_name=given(self.to_step_name),
            pinned_outputs=given(self.pinned_outputs) or {},
        )


@strawberry.type(description="A step tried out.")
class PreviewStep:
    """A step tried out."""

    name: str = strawberry.field(description="Name.")
    type: StepType = strawberry.field(description="Kind.")
    status: StepStatus = strawberry.field(
        description="How it ended; PENDING if it was not reached."
    )
    input: JSON | None = strawberry.field(
        description="Resolved inputs, cut to `ServerLimits.maxInlineOutputBytes`."
    )
    output: JSON | None = strawberry.field(
        description="Output, cut to `ServerLimits.maxInlineOutputBytes`; a warning says so then."
    )
    attempts: int = strawberry.field(
        description="How many attempts were made; 0 if it was not run."
    )
    duration_ms: SafeInt = strawberry.field(description="Time taken.")
    warnings: list[str] = strawberry.field(description="Remarks for people.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, TriedStep)

    @declare.field(description="Model calls.")
    @staticmethod
    def model_calls(root: Parent[TriedStep]) -> list[ModelCall]:
        return [ModelCall.of(call) for call in root.model_calls]

    @declare.field(description="Tokens and money of all attempts; made up in SIMULATE mode.")
    @staticmethod
    def usage(root: Parent[TriedStep]) -> TokenUsage:
        used = root.usage
        return TokenUsage.of(used.prompt_tokens, used.completion_tokens, used.cost_micros)

    @declare.field(description="Why it failed.")
    @staticmethod
    def error(root: Parent[TriedStep]) -> ExecutionError | None:
        return ExecutionError.of(root.error)


@strawberry.type(description="A workflow tried out.")
class WorkflowPreview:
    """A workflow tried out."""

    input: JSONObject = strawberry.field(description="Values it ran with.")
    duration_ms: SafeInt = strawberry.field(description="Time taken.")
    warnings: list[str] = strawberry.field(description="Remarks for people.")
    used_sample_data: bool = strawberry.field(description="Some input values were made up.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, Preview)

    @declare.field(description="How it ended; COMPLETED as well where `toStepName` ended it.")
    @staticmethod
    def status(root: Parent[Preview]) -> ExecutionStatus:
        return root.result.status

    @declare.field(description="OUTPUT variables.")
    @staticmethod
    def output(root: Parent[Preview]) -> JSONObject | None:
        return None if root.result.output is None else JSONObject(root.result.output)

    @declare.field(description="Why it FAILED.")
    @staticmethod
    def error(root: Parent[Preview]) -> ExecutionError | None:
        return ExecutionError.of(root.result.error)

    @declare.field(description="Steps in order.", graphql_type=list[PreviewStep])
    @staticmethod
    def steps(root: Parent[Preview]) -> list[TriedStep]:
        return list(root.result.steps)

    @declare.field(description="Tokens and money; made up in SIMULATE mode.")
    @staticmethod
    def usage(root: Parent[Preview]) -> TokenUsage:
        used = root.usage
        return TokenUsage.of(used.prompt_tokens, used.completion_tokens, used.cost_micros)


@strawberry.type(description="Result of previewWorkflow.")
class PreviewWorkflowPayload:
    """Result of previewWorkflow."""

    preview: Preview | None = strawberry.field(
        default=None,
        graphql_type=WorkflowPreview | None,
        description="What happened; null if it could not be tried at all.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list,
        description=(
            "Empty on success. A step that fails is not an error of the call: see `preview.status`."
        ),
    )
