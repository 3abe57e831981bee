"""What a model provider is: one method, from a request to a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from promptpilot.engine.accounts import Account
from promptpilot.engine.prompt_texts import Turn

#: Takes the answer's text as it grows, piece by piece; never blocks and never raises.
TextSink = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One prompt for one model: `content` is the user's last message, `turns` come before it.

    `parameters` are the sampling parameters by their GraphQL names; None means the provider's
    default.
    """

    model: str
    content: str
    idempotency_key: str
    attempt: int = 1
    instructions: str | None = None
    turns: tuple[Turn, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called. `arguments` are what it wrote, read as JSON if it is."""

    id: str | None
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one call, the same for every provider.

    `prompt` counts all that was sent, `cached` and `cache_write` are parts of it; `completion`
    counts all that came back, `reasoning` is a part of it. None is negative. `are_told` is False
    if the provider said nothing of them, or no numbers; then what the call cost is not known.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    are_told: bool = True


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model answered. Times count from the call, in milliseconds.

    `finish_reason` and `request_id` are the provider's own words. Whether the text is the JSON
    that was asked for is judged by the step, not by the provider.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    tokens: Tokens = Tokens()
    request_id: str | None = None
    latency_ms: int = 0
    first_token_ms: int | None = None
    warnings: tuple[str, ...] = ()
    is_simulated: bool = False


class Provider(Protocol):
    """Sends one prompt to one language model."""

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer; tell `on_text` of it as it grows.

        Raises `StepFailed` with a code of the error reference, free of the account's secret. When
        the task is cancelled the connection is closed at once.
        """
        ...
