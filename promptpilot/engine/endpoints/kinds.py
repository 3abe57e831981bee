"""What endpoints can be told, what becomes of a delivery, and why an endpoint is switched off."""

from __future__ import annotations

from enum import StrEnum


class WebhookEventType(StrEnum):
    """What an endpoint can be told; the value is the `type` of the message."""

    EXECUTION_STARTED = "execution.started"
    EXECUTION_COMPLETED = "execution.completed"
    EXECUTION_FAILED = "execution.failed"
    EXECUTION_CANCELLED = "execution.cancelled"
    EXECUTION_DECISION_REQUIRED = "execution.decision_required"


class DeliveryStatus(StrEnum):
    """Where a delivery is."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class DisabledReason(StrEnum):
    """Why the server switched an endpoint off."""

    GONE = "GONE"  #: it answered 410
    FAILING = "FAILING"  #: nothing reached it for five days
