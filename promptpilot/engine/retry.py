"""When a failed attempt is made again. Pure: the random part comes in as a number.

Source: exponential backoff with jitter, of which half is kept so that waits never collapse
(AWS Architecture Blog, "Exponential Backoff And Jitter", equal jitter).
"""

from __future__ import annotations

from datetime import timedelta

from promptpilot.engine.definition import RetryPolicy


def may_retry(policy: RetryPolicy, attempt: int, *, is_retryable: bool) -> bool:
    """Whether another attempt follows `attempt` (from 1) after a failure."""
    return is_retryable and attempt < policy.max_attempts


def backoff(policy: RetryPolicy, attempt: int, fraction: float) -> timedelta:
    """Return the wait after `attempt` (from 1). `fraction`, from 0 to 1, is the random part.

    The wait lies between half of the capped exponential delay and all of it.
    """
    growth = policy.backoff_factor ** (attempt - 1)
    delay_ms = min(float(policy.max_delay_ms), policy.initial_delay_ms * growth)
    return timedelta(milliseconds=round(delay_ms / 2 + fraction * delay_ms / 2))
