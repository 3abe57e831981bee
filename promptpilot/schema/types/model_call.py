"""Calls to model providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry

from promptpilot.engine.step_configs import ModelProvider
from promptpilot.schema.scalars import JSON, SafeInt
from promptpilot.schema.types.outcome import ExecutionError, TokenUsage


@strawberry.type(description="A tool that a model wants called.")
class ModelToolCall:
    """A tool that a model wants called."""

    id: str | None = strawberry.field(description="The provider's own id of the wish.")
    name: str = strawberry.field(description="Name of the tool.")
    arguments: JSON | None = strawberry.field(description="What the model wrote for it.")


@strawberry.type(description="One call to a model provider.")
class ModelCall:
    """One call to a model provider."""

    provider: ModelProvider = strawberry.field(description="Provider.")
    model: str = strawberry.field(description="Model.")
    label: str | None = strawberry.field(description="Name for people.")
    index: int | None = strawberry.field(
        description="Position in the step's `models`, from 0; null for calls of older servers."
    )
    attempt: int = strawberry.field(description="Number of the attempt it belongs to.")
    is_successful: bool = strawberry.field(description="Whether it gave an answer.")
    output_text: str | None = strawberry.field(
        description="The answer's text; one of more than 64 KiB is cut, the step's output has it."
    )
    finish_reason: str | None = strawberry.field(
        description="Why the model stopped, as the provider says."
    )
    tool_calls: list[ModelToolCall] = strawberry.field(
        description="Tools that the model wants called."
    )
    latency_ms: SafeInt = strawberry.field(description="Time taken.")
    first_token_ms: SafeInt | None = strawberry.field(
        description="Time until the answer began; null when that is not known."
    )
    usage: TokenUsage = strawberry.field(description="Tokens and money.")
    price_version: str | None = strawberry.field(
        description="Version of the price table that the cost is from; null without a cost."
    )
    request_id: str | None = strawberry.field(
        description="The provider's id of the call, for questions to its support.",
    )
    credential_id: strawberry.ID | None = strawberry.field(
        description="Credential it was made with; null without one, or for the server's own key."
    )
    warnings: list[str] = strawberry.field(
        description="What people should know of the answer, e.g. that its price is not known."
    )
    error: ExecutionError | None = strawberry.field(description="Why it failed.")
    is_simulated: bool = strawberry.field(
        description="No provider was called: the answer is made up by the simulator."
    )

    @classmethod
    def of(cls, call: Mapping[str, Any]) -> ModelCall:
        """Read a stored call; those of older servers lack some of its parts."""
        first_token_ms = call.get("firstTokenMs")
        return cls(
            provider=ModelProvider(call["provider"]),
            model=call["model"],
            label=call["label"],
            index=call.get("index"),
            attempt=call["attempt"],
            is_successful=call["isSuccessful"],
            output_text=call["outputText"],
            finish_reason=call["finishReason"],
            tool_calls=[ModelToolCall(**each) for each in call.get("toolCalls") or ()],
            latency_ms=call["latencyMs"],
            first_token_ms=None if first_token_ms is None else SafeInt(first_token_ms),
            usage=TokenUsage.of_call(call),
            price_version=call.get("priceVersion"),
            request_id=call.get("requestId"),
            credential_id=call.get("credentialId"),
            warnings=call.get("warnings") or [],
            error=ExecutionError.of(call["error"]),
            is_simulated=call["isSimulated"],
        )
