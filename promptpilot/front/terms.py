"""What every way into one schema shares: its prepared documents, its limits, what is counted."""

from __future__ import annotations

from dataclasses import dataclass

from strawberry import Schema

from promptpilot.clock import Clock, SystemClock
from promptpilot.front.cost import Sizes
from promptpilot.front.documents import Documents
from promptpilot.front.execution import Execution
from promptpilot.front.limits import Limits
from promptpilot.front.persisted import PersistedDocuments
from promptpilot.front.quotas import Places, Rates, Unlimited


@dataclass(frozen=True, slots=True)
class Customs:
    """What may differ between two installations of one schema."""

    limits: Limits
    sizes: Sizes | None = None
    persisted: PersistedDocuments | None = None
    rates: Rates | None = None
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What all requests and sockets are served under. Give the same to every endpoint."""

    execution: Execution
    limits: Limits
    rates: Rates
    clock: Clock
    sockets: Places
    strangers: Places
    streams: Places

    @classmethod
    def of(cls, schema: Schema, customs: Customs) -> Terms:
        """Make the terms for `schema`."""
        limits = customs.limits
        documents = Documents(schema, limits, customs.sizes)
        return cls(
            Execution(schema, documents, limits, customs.persisted),
            limits,
            customs.rates or Unlimited(),
            customs.clock or SystemClock(),
            Places("sockets", limits.max_caller_sockets),
            Places("sockets that have not introduced themselves", limits.max_strangers),
            Places("subscriptions", limits.max_caller_streams),
        )
