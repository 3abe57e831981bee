"""Settings of triggers, by their type."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from promptpilot import models as rows
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.schema.scalars import URL, Expression, JSONObject
from promptpilot.schema.types.schedule_config import ScheduledTriggerConfig


@strawberry.type(description="A MANUAL trigger.")
class ManualTriggerConfig:
    """A MANUAL trigger."""

    button_label: str | None = strawberry.field(description="Text for the button.")

    @classmethod
    def of(cls, trigger: rows.Trigger) -> ManualTriggerConfig:
        """Show the settings of a stored trigger."""
        return cls(button_label=trigger.config["button_label"])


@strawberry.type(description="A WEBHOOK trigger: a signed `POST <url>`.")
class WebhookTriggerConfig:
    """A WEBHOOK trigger: a signed `POST <url>`."""

    scheme: WebhookScheme = strawberry.field(description="How calls are signed.")
    receive_url: URL = strawberry.field(description="Where to send.")
    secret_preview: str = strawberry.field(
        description=(
            "Start and end of the signing secret, to recognise it by. The secret itself is"
            " in the payload of create and rotate only."
        )
    )
    previous_secret_valid_until: datetime | None = strawberry.field(
        description="Until then the previous secret also works."
    )
    tolerance_seconds: int = strawberry.field(description="How old a signed call may be.")
    input_mapping: JSONObject = strawberry.field(
        description=(
            "Where inputs come from in the payload: name -> expression over `payload` and"
            " `headers`; empty takes the body's `input`, or the whole body as `payload`."
        )
    )

    @classmethod
    def of(cls, trigger: rows.Trigger, public_url: str) -> WebhookTriggerConfig:
        """Show the settings of a stored trigger."""
        return cls(
            scheme=WebhookScheme(trigger.config["scheme"]),
            receive_url=URL(f"{public_url}/api/webhooks/{trigger.id}"),
            secret_preview=trigger.secret_preview or "",
            previous_secret_valid_until=trigger.previous_secret_until,
            tolerance_seconds=trigger.config["tolerance_seconds"],
            input_mapping=trigger.config["input_mapping"],
        )


@strawberry.type(description="An API trigger: `POST <url>` with the header `X-API-Key`.")
class ApiTriggerConfig:
    """An API trigger: `POST <url>` with the header `X-API-Key`."""

    receive_url: URL = strawberry.field(description="Where to send.")
    secret_preview: str = strawberry.field(
        description=(
            "Start and end of the key. The key itself is in the payload of create and rotate only."
        )
    )
    previous_secret_valid_until: datetime | None = strawberry.field(
        description="Until then the previous key also works."
    )

    @classmethod
    def of(cls, trigger: rows.Trigger, public_url: str) -> ApiTriggerConfig:
        """Show the settings of a stored trigger."""
        return cls(
            receive_url=URL(f"{public_url}/api/triggers/{trigger.id}/execute"),
            secret_preview=trigger.secret_preview or "",
            previous_secret_valid_until=trigger.previous_secret_until,
        )


@strawberry.type(description="An EVENT trigger.")
class EventTriggerConfig:
    """An EVENT trigger."""

    event_type: str = strawberry.field(
        description="Event type it listens for; a trailing `.*` matches any suffix."
    )
    filter: Expression | None = strawberry.field(
        description=(
            "Test on the event (`event.type`, `event.payload`, …); null means every event of the"
            " type."
        )
    )
    input_mapping: JSONObject = strawberry.field(
        description=(
            "Where inputs come from: name -> expression over `event`; empty takes the payload as"
            " `payload`."
        )
    )

    @classmethod
    def of(cls, trigger: rows.Trigger) -> EventTriggerConfig:
        """Show the settings of a stored trigger."""
        return cls(
            event_type=trigger.config["event_type"],
            filter=trigger.config["filter"],
            input_mapping=trigger.config["input_mapping"],
        )


AnyTriggerConfig: TypeAlias = (
    ManualTriggerConfig
    | ScheduledTriggerConfig
    | WebhookTriggerConfig
    | ApiTriggerConfig
    | EventTriggerConfig
)

TriggerConfig = Annotated[
    AnyTriggerConfig,
    strawberry.union(
        "TriggerConfig",
        description=(
            "Settings of a trigger, by its type. Fields of the same name have the same type in"
            " all members."
        ),
    ),
]


def show_config(trigger: rows.Trigger, public_url: str) -> AnyTriggerConfig:
    """Return the settings of a stored trigger."""
    match TriggerType(trigger.type):
        case TriggerType.MANUAL:
            return ManualTriggerConfig.of(trigger)
        case TriggerType.SCHEDULED:
            return ScheduledTriggerConfig.of(trigger)
        case TriggerType.WEBHOOK:
            return WebhookTriggerConfig.of(trigger, public_url)
        case TriggerType.API:
            return ApiTriggerConfig.of(trigger, public_url)
        case TriggerType.EVENT:
            return EventTriggerConfig.of(trigger)
