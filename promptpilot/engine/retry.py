"""When a failed attempt is made again. Pure: the random part comes in as a number.

What the other side asks to wait (`Retry-After`) is granted if it is longer than the step's own
backoff, up to `LONGEST_ASKED`, so that nobody can stall an execution for days.

Source: exponential backoff with jitter, of which half is kept so that waits never collapse
(AWS Architecture Blog, "Exponential Backoff And Jitter", equal jitter).
"""

from __future__ import annotations

from datetime import timedelta

from promptpilot.engine.definition import RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.errors import StepFailed

LONGEST_ASKED = timedelta(seconds=300)


def may_retry(step: Step, attempt: int, failure: StepFailed) -> bool:
    """Whether another attempt at a step follows `attempt` (from 1) after a failure."""
    if failure.is_outcome_unknown and step.on_unknown_outcome is UnknownOutcomePolicy.FAIL:
        return False
    return failure.is_retryable and attempt < step.retry.max_attempts


def wait_before_next(
    policy: RetryPolicy, attempt: int, fraction: float, asked: timedelta | None
) -> timedelta:
    """Return the wait after `attempt` (from 1); `asked` is what the other side asks for."""
    own = backoff(policy, attempt, fraction)
    if asked is None or asked <= timedelta(0):
        return own
    return max(own, min(asked, LONGEST_ASKED))


def backoff(policy: RetryPolicy, attempt: int, fraction: float) -> timedelta:
    """Return the wait after `attempt` (from 1). `fraction`, from 0 to 1, is the random part.

    The wait lies between half of the capped exponential delay and all of it.
    """
    growth = policy.backoff_factor ** (attempt - 1)
    delay_ms = min(float(policy.max_delay_ms), policy.initial_delay_ms * growth)
    return timedelta(milliseconds=round(delay_ms / 2 + fraction * delay_ms / 2))
