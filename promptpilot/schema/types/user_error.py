"""Expected failures of mutations, as data."""

from __future__ import annotations

from datetime import datetime

import strawberry

from promptpilot.engine.step_configs import ModelProvider
from promptpilot.schema.enums import (
    UserErrorCode,
)
from promptpilot.schema.scalars import SafeInt


@strawberry.interface(
    description=(
        "An expected failure of a mutation, as data. Unexpected ones are GraphQL errors with a"
        " code and a reference number."
    )
)
class UserError:
    """An expected failure of a mutation, as data."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(
        description=(
            'Path into the arguments, e.g. `["input", "steps", "2", "config", "prompt",'
            ' "model"]`; null when no single argument is to blame.'
        )
    )


@strawberry.type(description="An argument did not pass a check.")
class InvalidInputError(UserError):
    """An argument did not pass a check."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(description="Path into the arguments.")


@strawberry.type(description="An id led nowhere.")
class NotFoundError(UserError):
    """An id led nowhere."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(description="Path into the arguments.")
    id: strawberry.ID = strawberry.field(description="The id that was not found.")


@strawberry.type(description="The object was changed by somebody else in between.")
class ConflictError(UserError):
    """The object was changed by somebody else in between."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(description="Path into the arguments.")
    current_revision: int = strawberry.field(description="The revision the object has now.")


@strawberry.type(description="The object's state forbids the action.")
class InvalidStateError(UserError):
    """The object's state forbids the action."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(description="Path into the arguments.")
    state: str = strawberry.field(description="The state found, e.g. `COMPLETED`.")


@strawberry.type(description="A quota, rate or size limit.")
class LimitExceededError(UserError):
    """A quota, rate or size limit."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(description="Path into the arguments.")
    limit: SafeInt = strawberry.field(description="The limit.")
    retry_after: datetime | None = strawberry.field(
        default=None, description="When trying again can succeed; null if never."
    )


@strawberry.type(description="A model provider cannot be used with the credentials at hand.")
class CredentialError(UserError):
    """A model provider cannot be used with the credentials at hand."""

    code: UserErrorCode = strawberry.field(description="Program-readable reason.")
    message: str = strawberry.field(description="English sentence for people.")
    path: list[str] | None = strawberry.field(description="Path into the arguments.")
    providers: list[ModelProvider] = strawberry.field(
        description="Providers for which no active credential exists."
    )
