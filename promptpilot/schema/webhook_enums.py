"""The enumerations of outbound webhooks: the engine's own, each member with its description.

Rules: importing this module describes them; a member that is not named here is not part of the
API.
"""

from __future__ import annotations

from promptpilot.engine.endpoints import kinds
from promptpilot.schema.description import described

described(
    kinds.WebhookEventType,
    "WebhookEventType",
    "Events that are sent to endpoints.",
    EXECUTION_STARTED="`execution.started`",
    EXECUTION_COMPLETED="`execution.completed`",
    EXECUTION_FAILED="`execution.failed`",
    EXECUTION_CANCELLED="`execution.cancelled`",
    EXECUTION_DECISION_REQUIRED="`execution.decision_required`",
)
described(
    kinds.DeliveryStatus,
    "WebhookDeliveryStatus",
    "Where a delivery is.",
    PENDING="Not yet done; more attempts will follow.",
    SUCCEEDED="Answered with 2xx.",
    FAILED="Given up.",
)
described(
    kinds.DisabledReason,
    "WebhookDisabledReason",
    "Why the server switched an endpoint off. New values may be added.",
    GONE="It answered 410.",
    FAILING="Nothing reached it for 5 days.",
)
