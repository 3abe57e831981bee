"""Proves that every failure has the same four fields, and nothing else."""

from __future__ import annotations

from promptpilot.engine import reasons
from promptpilot.errors import StepFailed


def test_a_failure_becomes_a_document() -> None:
    failure = StepFailed("Too many.", "PROVIDER_RATE_LIMITED", is_retryable=True, details={"a": 1})

    assert reasons.reason_of(failure) == {
        "code": "PROVIDER_RATE_LIMITED",
        "message": "Too many.",
        "isRetryable": True,
        "details": {"a": 1},
    }


def test_no_details_are_none() -> None:
    assert reasons.reason("X", "It broke.")["details"] is None


def test_the_failure_of_a_step_names_the_step_and_keeps_the_rest() -> None:
    why = reasons.of_step("a", reasons.reason("X", "It broke.", is_retryable=True))

    assert why == {
        "code": "X",
        "message": "Step 'a' failed: It broke.",
        "isRetryable": True,
        "details": {"stepName": "a"},
    }
