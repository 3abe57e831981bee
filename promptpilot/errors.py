"""Every error this project raises on purpose, split by who must act.

PromptPilotError(code)
├── CallerError            the caller can mend it; shown as it stands; never retried
│   ├── InvalidInput       a value is not acceptable; `path` names it
│   ├── Required           a value is missing
│   ├── NotUnique          the value is taken already
│   ├── Unauthenticated    who is calling is not known
│   ├── BadCredentials     e-mail or password is wrong
│   ├── PermissionDenied   the caller may see the object but not do this
│   ├── NotFound           no such object, or the caller may not know that it exists
│   ├── Conflict           somebody changed the object in between
│   ├── CursorExpired      the point of a feed to go on from is too old, or unknown
│   ├── InvalidStatus      the object's status forbids this
│   ├── CredentialUnavailable a model provider cannot be used with the credentials at hand
│   ├── IdempotencyMismatch the key was used before with different arguments
│   ├── SignatureInvalid   a call does not prove who sent it
│   ├── PayloadTooLarge    a body is over its limit
│   ├── RateLimited        too many calls; `retry_after` says when to come back
│   └── InvalidMany        several of the above at once
├── StepFailed             a step's work failed; says whether a retry may help
├── LeaseLost              another worker owns the execution; write nothing more
├── Unavailable            the database does not answer; nothing was stored
├── Misconfigured          found at start-up; the process must not start; names every fault
└── InvariantBroken        a bug of ours; the caller sees "internal error" and a reference
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar


class PromptPilotError(Exception):
    """Base of every error raised on purpose. `code` is stable text for programs."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CallerError(PromptPilotError):
    """The caller can mend this; its message is shown to them as it stands.

    `path` leads into the arguments, e.g. `("input", "steps", "2", "name")`; empty when no single
    argument is to blame.
    """

    code: ClassVar[str] = "BAD_REQUEST"

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.path = tuple(str(part) for part in path)


class InvalidInput(CallerError):
    """A value is not acceptable."""

    code: ClassVar[str] = "INVALID_INPUT"


class Required(InvalidInput):
    """A required value is missing."""

    code: ClassVar[str] = "REQUIRED"


class NotUnique(CallerError):
    """The value is taken already."""

    code: ClassVar[str] = "NOT_UNIQUE"


class Unauthenticated(CallerError):
    """Who is calling is not known."""

    code: ClassVar[str] = "UNAUTHENTICATED"


class BadCredentials(CallerError):
    """E-mail or password is wrong; which of the two is not told."""

    code: ClassVar[str] = "BAD_CREDENTIALS"


class PermissionDenied(CallerError):
    """The caller may see the object but not do this."""

    code: ClassVar[str] = "FORBIDDEN"


class NotFound(CallerError):
    """No such object, or the caller may not know that it exists."""

    code: ClassVar[str] = "NOT_FOUND"

    def __init__(self, message: str, id: str = "", path: Sequence[str | int] = ()) -> None:
        super().__init__(message, path)
        self.id = id


class Conflict(CallerError):
    """Somebody changed the object since the caller read it."""

    code: ClassVar[str] = "CONFLICT"

    def __init__(
        self, message: str, current_revision: int = 0, path: Sequence[str | int] = ()
    ) -> None:
        super().__init__(message, path)
        self.current_revision = current_revision


class CursorExpired(CallerError):
    """The point of a feed to go on from is too old, or unknown; what came after it is not told."""

    code: ClassVar[str] = "CURSOR_EXPIRED"


class InvalidStatus(CallerError):
    """The object's status forbids the action."""

    code: ClassVar[str] = "INVALID_STATE"

    def __init__(self, message: str, status: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message, path)
        self.status = status


class CredentialUnavailable(CallerError):
    """A model provider cannot be used with the credentials at hand. `providers` names which."""

    code: ClassVar[str] = "CREDENTIAL_UNAVAILABLE"

    def __init__(
        self, message: str, providers: Sequence[str] = (), path: Sequence[str | int] = ()
    ) -> None:
        super().__init__(message, path)
        self.providers = tuple(providers)


class IdempotencyMismatch(CallerError):
    """The idempotency key was used before with different arguments."""

    code: ClassVar[str] = "IDEMPOTENCY_MISMATCH"


class SignatureInvalid(CallerError):
    """A call does not prove who sent it. `failure_code` is recorded with the verdict."""

    code: ClassVar[str] = "SIGNATURE_INVALID"

    def __init__(self, message: str, failure_code: str) -> None:
        super().__init__(message)
        self.failure_code = failure_code


class LimitExceeded(CallerError):
    """A size or a quota limit would be passed. `limit` is its value.

    `retry_after` is when trying again can succeed; None means never.
    """

    code: ClassVar[str] = "LIMIT_EXCEEDED"

    def __init__(
        self,
        message: str,
        limit: int,
        path: Sequence[str | int] = (),
        retry_after: datetime | None = None,
    ) -> None:
        super().__init__(message, path)
        self.limit = limit
        self.retry_after = retry_after


class PayloadTooLarge(LimitExceeded):
    """A request body is over its limit."""

    code: ClassVar[str] = "PAYLOAD_TOO_LARGE"


class RateLimited(CallerError):
    """Too many calls. `retry_after` is the instant from which another may succeed."""

    code: ClassVar[str] = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: datetime) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidMany(CallerError):
    """Several faults at once, so that the caller can mend them in one go."""

    code: ClassVar[str] = "INVALID_INPUT"

    def __init__(self, errors: Sequence[CallerError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)


class StepFailed(PromptPilotError):
    """A step's work failed. `error_code` is one of the codes of the error reference.

    `retry_after` is what the other side asks to wait. `is_outcome_unknown` says that the effect
    may have happened all the same, as when a request was sent and its answer was lost.
    `shown_input` is what readers see of what the step was given, as far as it came.
    """

    code: ClassVar[str] = "STEP_FAILED"

    def __init__(
        self,
        message: str,
        error_code: str,
        *,
        is_retryable: bool = False,
        details: Mapping[str, Any] | None = None,
        retry_after: timedelta | None = None,
        is_outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.error_code = error_code
        self.is_retryable = is_retryable
        self.details = dict(details or {})
        self.retry_after = retry_after
        self.is_outcome_unknown = is_outcome_unknown
        self.shown_input: Any = None


class LeaseLost(PromptPilotError):
    """Another worker owns this execution now; nothing was written and nothing may be."""

    code: ClassVar[str] = "LEASE_LOST"


class Unavailable(PromptPilotError):
    """The database does not answer; nothing was stored; trying again may help."""

    code: ClassVar[str] = "UNAVAILABLE"


class Misconfigured(PromptPilotError):
    """Settings are missing or wrong. `faults` names every one of them."""

    code: ClassVar[str] = "MISCONFIGURED"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class InvariantBroken(PromptPilotError):
    """Something that cannot happen has happened: a bug of ours."""

    code: ClassVar[str] = "INTERNAL"
