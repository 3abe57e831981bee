"""Calls to model providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry

from promptpilot.engine.step_configs import ModelProvider
from promptpilot.schema.scalars import SafeInt
from promptpilot.schema.types.outcome import ExecutionError, TokenUsage


@strawberry.type(description="One call to a model provider.")
class ModelCall:
    """One call to a model provider."""

    provider: ModelProvider = strawberry.field(description="Provider.")
    model: str = strawberry.field(description="Model.")
    label: str | None = strawberry.field(description="Name for people.")
    attempt: int = strawberry.field(description="Number of the attempt it belongs to.")
    is_successful: bool = strawberry.field(description="Whether it gave an answer.")
    output_text: str | None = strawberry.field(
        description="The answer's text; one of more than 64 KiB is cut, the step's output has it."
    )
    finish_reason: str | None = strawberry.field(
        description="Why the model stopped, as the provider says."
    )
    latency_ms: SafeInt = strawberry.field(description="Time taken.")
    usage: TokenUsage = strawberry.field(description="Tokens and money.")
    error: ExecutionError | None = strawberry.field(description="Why it failed.")
    is_simulated: bool = strawberry.field(
        description="No provider was called: the answer is made up by the simulator."
    )

    @classmethod
    def of(cls, call: Mapping[str, Any]) -> ModelCall:
        """Read a stored call."""
        usage = TokenUsage.of(call["promptTokens"], call["completionTokens"], call["costMicros"])
        return cls(
            provider=ModelProvider(call["provider"]),
            model=call["model"],
            label=call["label"],
            attempt=call["attempt"],
            is_successful=call["isSuccessful"],
            output_text=call["outputText"],
            finish_reason=call["finishReason"],
            latency_ms=call["latencyMs"],
            usage=usage,
            error=ExecutionError.of(call["error"]),
            is_simulated=call["isSimulated"],
        )
