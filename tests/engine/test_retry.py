"""Proves that waits grow, stay within their limits and never collapse."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.definition import RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.engine.retry import LONGEST_ASKED, backoff, may_retry, wait_before_next
from promptpilot.engine.step_configs import TransformConfig
from promptpilot.errors import StepFailed

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 10),
    initial_delay_ms=st.integers(0, 86_400_000),
    max_delay_ms=st.integers(0, 86_400_000),
    backoff_factor=st.floats(1, 10),
)


def step_of(policy: RetryPolicy, unknown: UnknownOutcomePolicy) -> Step:
    """Make a step with a policy."""
    return Step("s", TransformConfig({"v": "1"}), retry=policy, on_unknown_outcome=unknown)


@given(policies, st.integers(1, 20), st.sampled_from(UnknownOutcomePolicy))
def test_only_a_retryable_failure_before_the_last_attempt_is_tried_again(
    policy: RetryPolicy, attempt: int, unknown: UnknownOutcomePolicy
) -> None:
    step = step_of(policy, unknown)
    retryable = StepFailed("No.", "X", is_retryable=True)

    assert may_retry(step, attempt, retryable) == (attempt < policy.max_attempts)
    assert not may_retry(step, attempt, StepFailed("No.", "X"))


@given(policies, st.integers(1, 20))
def test_an_effect_that_may_have_happened_is_not_tried_again_by_at_most_once(
    policy: RetryPolicy, attempt: int
) -> None:
    lost = StepFailed("No.", "X", is_retryable=True, is_outcome_unknown=True)

    assert not may_retry(step_of(policy, UnknownOutcomePolicy.FAIL), attempt, lost)


@given(policies, st.integers(1, 10), st.floats(0, 1), st.timedeltas())
def test_what_is_asked_to_wait_is_granted_within_five_minutes(
    policy: RetryPolicy, attempt: int, fraction: float, asked: timedelta
) -> None:
    own = backoff(policy, attempt, fraction)
    wait = wait_before_next(policy, attempt, fraction, asked)

    assert own <= wait <= max(own, LONGEST_ASKED)
    assert asked > LONGEST_ASKED or wait == max(own, asked)
    assert wait_before_next(policy, attempt, fraction, None) == own


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
