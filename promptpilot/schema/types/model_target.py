"""Which models a PROMPT step calls, and how."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine import step_configs
from promptpilot.engine.step_configs import ModelErrorPolicy, ModelProvider, RoutingMode
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.enums import (
    ResponseFormat,
)
from promptpilot.schema.given import given
from promptpilot.schema.links import link
from promptpilot.schema.loaders import if_any
from promptpilot.schema.scalars import JSONObject

#: Attribute -> name of the API, under which parameters are stored.
PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "topP",
        "max_tokens": "maxTokens",
        "presence_penalty": "presencePenalty",
        "frequency_penalty": "frequencyPenalty",
        "seed": "seed",
        "response_format": "responseFormat",
        "response_schema": "responseSchema",
        "stop": "stop",
        "extra": "extra",
    }
)


@strawberry.type(description="Sampling parameters; null means the provider's default.")
class ModelParameters:
    """Sampling parameters; null means the provider's default."""

    temperature: float | None = strawberry.field(description="Randomness, 0 to 2.")
    top_p: float | None = strawberry.field(description="Nucleus sampling, 0 to 1.")
    max_tokens: int | None = strawberry.field(description="Longest answer.")
    presence_penalty: float | None = strawberry.field(description="-2 to 2.")
    frequency_penalty: float | None = strawberry.field(description="-2 to 2.")
    seed: int | None = strawberry.field(
        description="For repeatable answers where the provider can."
    )
    response_format: ResponseFormat | None = strawberry.field(description="Form of the answer.")
    response_schema: JSONObject | None = strawberry.field(
        description="JSON Schema of the answer for JSON_SCHEMA."
    )
    stop: list[str] | None = strawberry.field(description="Strings that end the answer.")
    extra: JSONObject | None = strawberry.field(
        description="Parameters this API does not know, passed on as they are."
    )

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> ModelParameters:
        """Read stored parameters, which have the names of the API."""
        return cls(**{name: parameters.get(stored) for name, stored in PARAMETERS.items()})


@strawberry.type(description="How several models of one step are used.")
class ModelRouting:
    """How several models of one step are used."""

    mode: RoutingMode = strawberry.field(description="All, or the first that works.")
    on_error: ModelErrorPolicy = strawberry.field(
        description="What a failed model does to the step."
    )
    concurrency: int = strawberry.field(description="How many at once in PARALLEL mode.")


@strawberry.type(description="One model to call.")
class ModelTarget:
    """One model to call."""

    provider: ModelProvider = strawberry.field(description="Provider.")
    model: str = strawberry.field(description="Name of the model at the provider.")
    label: str | None = strawberry.field(description="Name for people.")
    is_disabled: bool = strawberry.field(description="Not called while true.")

    @declare.field(
        description="Credential to use; null means the owner's active one for the provider.",
        graphql_type=link("ModelCredential") | None,
    )
    @staticmethod
    async def credential(
        root: Parent[step_configs.ModelTarget], info: Info
    ) -> rows.Credential | None:
        return await if_any(info.context.loaders.model_credential, root.credential_id)

    @declare.field(description="Sampling parameters.")
    @staticmethod
    def parameters(root: Parent[step_configs.ModelTarget]) -> ModelParameters:
        return ModelParameters.of(root.parameters)


@strawberry.input(description="Sampling parameters.")
class ModelParametersInput:
    """Sampling parameters."""

    temperature: float | None = strawberry.field(
        default=strawberry.UNSET, description="Randomness, 0 to 2."
    )
    top_p: float | None = strawberry.field(
        default=strawberry.UNSET, description="Nucleus sampling, 0 to 1."
    )
    max_tokens: int | None = strawberry.field(
        default=strawberry.UNSET, description="Longest answer."
    )
    presence_penalty: float | None = strawberry.field(
        default=strawberry.UNSET, description="-2 to 2."
    )
    frequency_penalty: float | None = strawberry.field(
        default=strawberry.UNSET, description="-2 to 2."
    )
    seed: int | None = strawberry.field(
        default=strawberry.UNSET, description="For repeatable answers."
    )
    response_format: ResponseFormat | None = strawberry.field(
        default=strawberry.UNSET, description="Form of the answer."
    )
    response_schema: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="JSON Schema of the answer."
    )
    stop: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Strings that end the answer."
    )
    extra: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Parameters this API does not know."
    )

    def to_parameters(self) -> dict[str, Any]:
        """Return what was given, under the names of the API."""
        values = {stored: given(getattr(self, name)) for name, stored in PARAMETERS.items()}
        return {name: value for name, value in values.items() if value is not None}


@strawberry.input(description="How several models are used.")
class ModelRoutingInput:
    """How several models are used."""

    mode: RoutingMode = strawberry.field(
        default=RoutingMode.PARALLEL, description="All, or the first that works."
    )
    on_error: ModelErrorPolicy = strawberry.field(
        default=ModelErrorPolicy.ABORT, description="What a failed model does to the step."
    )
    concurrency: int = strawberry.field(default=5, description="How many at once.")

    def to_routing(self) -> step_configs.ModelRouting:
        """Return the routing as the engine knows it."""
        return step_configs.ModelRouting(self.mode, self.on_error, self.concurrency)


@strawberry.input(description="One model to call.")
class ModelTargetInput:
    """One model to call."""

    provider: ModelProvider = strawberry.field(description="Provider.")
    model: str = strawberry.field(description="Name of the model at the provider.")
    label: str | None = strawberry.field(default=strawberry.UNSET, description="Name for people.")
    credential_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Credential; the owner's active one if not given."
    )
    parameters: ModelParametersInput | None = strawberry.field(
        default=strawberry.UNSET, description="Sampling parameters."
    )
    is_disabled: bool = strawberry.field(default=False, description="Do not call for now.")

    def to_target(self) -> step_configs.ModelTarget:
        """Return the target as the engine knows it."""
        return step_configs.ModelTarget(
            provider=self.provider,
            model=self.model,
            label=given(self.label),
            credential_id=given(self.credential_id),
            parameters=self.parameters.to_parameters() if self.parameters else {},
            is_disabled=self.is_disabled,
        )
