"""The JSON document that says why something failed, the same for steps, executions and firings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptpilot.errors import StepFailed

Reason = dict[str, Any]

INTERNAL = "INTERNAL"
STEP_TIMEOUT = "STEP_TIMEOUT"
EXECUTION_TIMEOUT = "EXECUTION_TIMEOUT"
OUTPUT_INVALID = "OUTPUT_INVALID"
OUTPUT_TOO_LARGE = "OUTPUT_TOO_LARGE"
WORKER_LOST = "WORKER_LOST"
WORKER_STOPPED = "WORKER_STOPPED"
DEAD_LETTERED = "DEAD_LETTERED"


def reason(
    code: str,
    message: str,
    *,
    is_retryable: bool = False,
    details: Mapping[str, Any] | None = None,
) -> Reason:
    """Return the document: a stable code for programs, a sentence for people, no secrets."""
    return {
        "code": code,
        "message": message,
        "isRetryable": is_retryable,
        "details": dict(details) if details else None,
    }


def reason_of(failure: StepFailed) -> Reason:
    """Return the document of a step's failure."""
    return reason(
        failure.error_code,
        failure.message,
        is_retryable=failure.is_retryable,
        details=failure.details,
    )


def of_step(step_name: str, why: Reason) -> Reason:
    """Return why an execution failed, given why its step did."""
    details = {**(why["details"] or {}), "stepName": step_name}
    return {**why, "message": f"Step {step_name!r} failed: {why['message']}", "details": details}


PAST_DEADLINE = reason(
    EXECUTION_TIMEOUT, "The execution did not end within its `executionTimeoutSeconds`."
)
LOST = reason(WORKER_LOST, "The worker was lost in the middle of the attempt.", is_retryable=True)
STOPPED = reason(
    WORKER_STOPPED, "The worker was stopped and gave the attempt up.", is_retryable=True
)
UNKNOWN_OUTCOME = reason(
    WORKER_LOST,
    "The worker was lost or stopped in the middle of the attempt; what the step does outside may "
    "have happened, so it is not done again (`onUnknownOutcome: FAIL`).",
)
