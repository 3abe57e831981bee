"""What a model provider is: one method, from a request to a reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One prompt for one model. `parameters` are the sampling parameters by their GraphQL names."""

    model: str
    content: str
    idempotency_key: str
    attempt: int = 1
    instructions: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model answered. `json` is set when a JSON answer was asked for.

    `cost_micros` counts millionths of a dollar; None means that the model has no known price.
    """

    text: str
    json: Any = None
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int | None = None
    latency_ms: int = 0
    is_simulated: bool = False


class Provider(Protocol):
    """Sends one prompt to one language model."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the model's answer. Raises `StepFailed` with a code of the error reference."""
        ...
