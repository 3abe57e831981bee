"""The GraphQL API: it translates, authorises and hands over to the engine."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig

from promptpilot.schema import (  # noqa: F401 -- their import describes enumerations
    step_enums,
    trigger_enums,
    webhook_enums,
)
from promptpilot.schema.mutation import Mutation
from promptpilot.schema.query import Query
from promptpilot.schema.scalars import SCALARS
from promptpilot.schema.subscription import Subscription
from promptpilot.schema.types.event import (
    ExecutionStatusChanged,
    StepOutputAppended,
    StepRetryScheduled,
    StepStatusChanged,
)
from promptpilot.schema.types.user_error import (
    ConflictError,
    CredentialError,
    InvalidInputError,
    InvalidStateError,
    LimitExceededError,
    NotFoundError,
)

__all__ = ["TYPES", "schema"]

#: Types that are reached through their interfaces alone.
TYPES = (
    *(ConflictError, CredentialError, InvalidInputError),
    *(InvalidStateError, LimitExceededError, NotFoundError),
    *(ExecutionStatusChanged, StepOutputAppended, StepRetryScheduled, StepStatusChanged),
)

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=TYPES,
    config=StrawberryConfig(scalar_map=dict(SCALARS)),
)
