"""Proves that waits grow, stay within their limits and never collapse."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.definition import RetryPolicy
from promptpilot.engine.retry import backoff, may_retry

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 10),
    initial_delay_ms=st.integers(0, 86_400_000),
    max_delay_ms=st.integers(0, 86_400_000),
    backoff_factor=st.floats(1, 10),
)


@given(policies, st.integers(1, 20))
def test_only_a_retryable_failure_before_the_last_attempt_is_tried_again(
    policy: RetryPolicy, attempt: int
) -> None:
    assert may_retry(policy, attempt, is_retryable=True) == (attempt < policy.max_attempts)
    assert not may_retry(policy, attempt, is_retryable=False)


@given(policies, st.integers(1, 10), st.floats(0, 1))
def test_a_wait_lies_between_half_of_the_delay_and_all_of_it(
    policy: RetryPolicy, attempt: int, fraction: float
) -> None:
    least, wait, most = (backoff(policy, attempt, each) for each in (0, fraction, 1))

    assert timedelta(0) <= least <= wait <= most
    assert most <= timedelta(milliseconds=policy.max_delay_ms)
    assert most - 2 * least <= timedelta(milliseconds=1)


@given(policies, st.integers(1, 9))
def test_waits_never_become_shorter(policy: RetryPolicy, attempt: int) -> None:
    assert backoff(policy, attempt, 1) <= backoff(policy, attempt + 1, 1)


@pytest.mark.parametrize(
    ("attempt", "most_ms"), [(1, 1000), (2, 2000), (3, 4000), (6, 32_000), (7, 60_000), (9, 60_000)]
)
def test_the_default_waits_double_up_to_a_minute(attempt: int, most_ms: int) -> None:
    assert backoff(RetryPolicy(), attempt, 1) == timedelta(milliseconds=most_ms)
