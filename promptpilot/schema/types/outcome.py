"""How something went: why it failed, and what it used."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import strawberry

from promptpilot.schema.scalars import JSONObject, SafeInt


@strawberry.type(description="Why something failed.")
class ExecutionError:
    """Why something failed."""

    code: str = strawberry.field(
        description=(
            "Program-readable kind, e.g. `PROVIDER_RATE_LIMITED`, `STEP_TIMED_OUT`,"
            " `INVALID_INPUT`."
        )
    )
    message: str = strawberry.field(description="English sentence, free of secrets.")
    is_retryable: bool = strawberry.field(description="Whether trying again can help.")
    details: JSONObject | None = strawberry.field(description="More, depending on the code.")

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> ExecutionError | None:
        """Read a stored document; None stays None."""
        if document is None:
            return None
        return cls(
            code=document["code"],
            message=document["message"],
            is_retryable=document["isRetryable"],
            details=document.get("details"),
        )


@strawberry.type(description="Tokens and money used.")
class TokenUsage:
    """Tokens and money used."""

    prompt_tokens: SafeInt = strawberry.field(description="Tokens sent.")
    completion_tokens: SafeInt = strawberry.field(description="Tokens received.")
    total_tokens: SafeInt = strawberry.field(description="Both.")
    cached_tokens: SafeInt | None = strawberry.field(
        description="Of the tokens sent, those read from the provider's cache; of one call only."
    )
    cache_write_tokens: SafeInt | None = strawberry.field(
        description="Of the tokens sent, those written to the provider's cache; of one call only."
    )
    reasoning_tokens: SafeInt | None = strawberry.field(
        description="Of the tokens received, those of hidden reasoning; of one call only."
    )
    cost_usd: Decimal | None = strawberry.field(
        description="By the server's price table; null when some model has no price."
    )

    @classmethod
    def of(cls, prompt_tokens: int, completion_tokens: int, cost_micros: int | None) -> TokenUsage:
        """Make a usage; the cost is in millionths of a US dollar, None when it is not known."""
        return cls(
            prompt_tokens=SafeInt(prompt_tokens),
            completion_tokens=SafeInt(completion_tokens),
            total_tokens=SafeInt(prompt_tokens + completion_tokens),
            cached_tokens=None,
            cache_write_tokens=None,
            reasoning_tokens=None,
            cost_usd=None if cost_micros is None else Decimal(cost_micros).scaleb(-6),
        )

    @classmethod
    def of_call(cls, call: Mapping[str, Any]) -> TokenUsage:
        """Read a stored call of a model; calls from before a number was kept lack it."""
        usage = cls.of(call["promptTokens"], call["completionTokens"], call["costMicros"])
        usage.cached_tokens = _count(call, "cachedTokens")
        usage.cache_write_tokens = _count(call, "cacheWriteTokens")
        usage.reasoning_tokens = _count(call, "reasoningTokens")
        return usage


def _count(call: Mapping[str, Any], name: str) -> SafeInt | None:
    value = call.get(name)
    return None if value is None else SafeInt(value)
