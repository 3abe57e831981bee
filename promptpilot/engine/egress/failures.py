"""The ways in which a request fails, each as the failure of a step.

Rules: a message names the host and the cause. It never holds a header, a query, a user, a body or
what the other side sent, because any of them may hold a secret.
"""

from __future__ import annotations

import ssl

from promptpilot.errors import StepFailed


def refused(host: str, cause: str) -> StepFailed:
    """Return the failure of a request that may not be made: nothing was sent."""
    return StepFailed(f"{_about(host)}: {cause}", "SSRF_BLOCKED")


def not_sendable(cause: str) -> StepFailed:
    """Return the failure of a request that is none: nothing was sent."""
    return StepFailed(f"The request cannot be sent: {cause}", "REQUEST_INVALID")


def unreachable(host: str, cause: str, *, is_outcome_unknown: bool = False) -> StepFailed:
    """Return the failure of a conversation that could not be begun or was cut."""
    return StepFailed(
        f"{_about(host)}: {cause}",
        "NETWORK",
        is_retryable=True,
        is_outcome_unknown=is_outcome_unknown,
    )


def timed_out(host: str, cause: str, *, is_outcome_unknown: bool = False) -> StepFailed:
    """Return the failure of a conversation that took too long."""
    return StepFailed(
        f"{_about(host)}: {cause}",
        "HTTP_TIMEOUT",
        is_retryable=True,
        is_outcome_unknown=is_outcome_unknown,
    )


def too_large(host: str, part: str, limit: int) -> StepFailed:
    """Return the failure of an answer that was broken off because it is too large."""
    return StepFailed(
        f"{_about(host)}: {part} of its answer has more than {limit} bytes",
        "RESPONSE_TOO_LARGE",
        details={"limitBytes": limit},
        is_outcome_unknown=True,
    )


def certificate_fault(error: BaseException) -> str:
    """Return in brackets what is wrong with a certificate; nothing if that was not the cause."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return f" ({cause.verify_message})" if cause else ""


def _about(host: str) -> str:
    return f"Host {host}" if host else "The URL cannot be called"
