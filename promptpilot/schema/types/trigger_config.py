"""Settings of triggers, by their type."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from promptpilot import models as rows
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.errors import InvariantBroken
from promptpilot.schema.scalars import URL, JSONObject


@strawberry.type(description="A MANUAL trigger.")
class ManualTriggerConfig:
    """A MANUAL trigger."""

    button_label: str | None = strawberry.field(description="Text for the button.")


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


TriggerConfig = Annotated[
    ManualTriggerConfig | WebhookTriggerConfig,
    strawberry.union(
        "TriggerConfig",
        description=(
            "Settings of a trigger, by its type. Fields of the same name have the same type in"
            " all members."
        ),
    ),
]


def show_config(
    trigger: rows.Trigger, public_url: str
) -> ManualTriggerConfig | WebhookTriggerConfig:
    """Return the settings of a stored trigger."""
    if trigger.type == TriggerType.MANUAL:
        return ManualTriggerConfig(button_label=trigger.config["button_label"])
    if trigger.type == TriggerType.WEBHOOK:
        return WebhookTriggerConfig(
            scheme=WebhookScheme(trigger.config["scheme"]),
            receive_url=URL(f"{public_url}/api/webhooks/{trigger.id}"),
            secret_preview=trigger.secret_preview or "",
            previous_secret_valid_until=trigger.previous_secret_until,
            tolerance_seconds=trigger.config["tolerance_seconds"],
            input_mapping=trigger.config["input_mapping"],
        )
    raise InvariantBroken(f"Triggers of type {trigger.type} are not known to this version.")
