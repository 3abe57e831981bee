"""Turns what callers did wrong into the `errors` of a payload.

Rules: an error is mapped by the nearest class that has a type of its own; who is not signed in or
calls too often gets a GraphQL error instead, and so does every fault of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import strawberry

from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import (
    CallerError,
    Conflict,
    CredentialUnavailable,
    InvalidMany,
    InvalidStatus,
    LimitExceeded,
    NotFound,
    RateLimited,
    Unauthenticated,
)
from promptpilot.schema.enums import UserErrorCode
from promptpilot.schema.scalars import SafeInt
from promptpilot.schema.types.user_error import (
    ConflictError,
    CredentialError,
    InvalidInputError,
    InvalidStateError,
    LimitExceededError,
    NotFoundError,
    UserError,
)

P = ParamSpec("P")
Payload = TypeVar("Payload")
Resolver = Callable[P, Awaitable[Payload]]


def reporting(
    payload: Callable[..., Payload],
) -> Callable[[Resolver[P, Payload]], Resolver[P, Payload]]:
    """Let a mutation answer with `payload` and its `errors` where it raises a CallerError."""

    def decorate(resolver: Resolver[P, Payload]) -> Resolver[P, Payload]:
        @functools.wraps(resolver)
        async def report(*args: P.args, **kwargs: P.kwargs) -> Payload:
            try:
                return await resolver(*args, **kwargs)
            except (Unauthenticated, RateLimited):
                raise
            except CallerError as error:
                return payload(errors=user_errors(error))

        return report

    return decorate


def user_errors(error: CallerError) -> list[UserError]:
    """Return what the caller is told: one error, or every one of several."""
    faults = error.errors if isinstance(error, InvalidMany) else (error,)
    return [_user_error(fault) for fault in faults]


def _user_error(error: CallerError) -> UserError:
    path = list(error.path) or None
    match error:
        case NotFound():
            code, its_id = UserErrorCode.NOT_FOUND, strawberry.ID(error.id)
            return NotFoundError(code=code, message=error.message, path=path, id=its_id)
        case Conflict():
            code, revision = UserErrorCode.CONFLICT, error.current_revision
            return ConflictError(
                code=code, message=error.message, path=path, current_revision=revision
            )
        case InvalidStatus():
            code, status = UserErrorCode.INVALID_STATE, error.status
            return InvalidStateError(code=code, message=error.message, path=path, state=status)
        case LimitExceeded():
            return LimitExceededError(
                code=UserErrorCode.LIMIT_EXCEEDED,
                message=error.message,
                path=path,
                limit=SafeInt(error.limit),
                retry_after=error.retry_after,
            )
        case CredentialUnavailable():
            code, providers = _code(error), [ModelProvider(each) for each in error.providers]
            return CredentialError(code=code, message=error.message, path=path, providers=providers)
        case _:
            return InvalidInputError(code=_code(error), message=error.message, path=path)


def _code(error: CallerError) -> UserErrorCode:
    is_known = error.code in set(UserErrorCode)
    return UserErrorCode(error.code) if is_known else UserErrorCode.INVALID_INPUT
