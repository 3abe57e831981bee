"""One try to deliver a message: what is held for it, how it went, and what it led to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from promptpilot.engine.endpoints.kinds import DeliveryStatus, DisabledReason
from promptpilot.models import WebhookDelivery, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is held under a lease, and its endpoint as it was then."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint
    owner: str


@dataclass(frozen=True, slots=True)
class Try:
    """One HTTP exchange: `status` and `body` are the answer's, `error` is why there was none."""

    started_at: datetime
    duration_ms: int
    status: int | None = None
    body: str | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a try led to: success, giving up with an `error`, or another try after `delay`."""

    error: Mapping[str, Any] | None = None
    delay: timedelta | None = None
    #: Why the endpoint is to be switched off.
    disable: DisabledReason | None = None

    @property
    def status(self) -> DeliveryStatus:
        """Where the delivery is then."""
        if self.error is None:
            return DeliveryStatus.SUCCEEDED
        return DeliveryStatus.FAILED if self.delay is None else DeliveryStatus.PENDING
