"""How triggers of each type are set up."""

from __future__ import annotations

from datetime import datetime

import strawberry

from promptpilot.engine import drafts
from promptpilot.engine.triggers.kinds import (
    FoldPolicy,
    GapPolicy,
    MissedRunPolicy,
    OverlapPolicy,
)
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.errors import InvalidInput
from promptpilot.schema.given import Path, given, texts
from promptpilot.schema.scalars import CronExpression, Expression, JSONObject, TimeZone


@strawberry.input(description="MANUAL trigger.")
class ManualTriggerConfigInput:
    """MANUAL trigger."""

    button_label: str | None = strawberry.field(
        default=strawberry.UNSET, description="Text for the button."
    )

    def to_config(self) -> drafts.ManualConfig:
        """Return the settings as the engine knows them."""
        return drafts.ManualConfig(button_label=given(self.button_label))


@strawberry.input(description="SCHEDULED trigger.")
class ScheduledTriggerConfigInput:
    """SCHEDULED trigger."""

    cron: CronExpression = strawberry.field(description="When.")
    time_zone: TimeZone = strawberry.field(default=TimeZone("UTC"), description="In which zone.")
    starts_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Not before."
    )
    ends_at: datetime | None = strawberry.field(default=strawberry.UNSET, description="Not after.")
    missed_run_policy: MissedRunPolicy = strawberry.field(
        default=MissedRunPolicy.RUN_ONCE, description="Times missed."
    )
    overlap_policy: OverlapPolicy = strawberry.field(
        default=OverlapPolicy.SKIP, description="Overlaps."
    )
    gap_policy: GapPolicy = strawberry.field(
        default=GapPolicy.SHIFT, description="Times skipped by daylight saving."
    )
    fold_policy: FoldPolicy = strawberry.field(
        default=FoldPolicy.FIRST, description="Times repeated by daylight saving."
    )
    pause_after_failures: int | None = strawberry.field(
        default=10, description="Pause after this many failures in a row."
    )

    def to_config(self) -> drafts.ScheduledConfig:
        """Return the settings as the engine knows them."""
        return drafts.ScheduledConfig(
            cron=self.cron,
            time_zone=self.time_zone,
            starts_at=given(self.starts_at),
            ends_at=given(self.ends_at),
            missed_run_policy=self.missed_run_policy,
            overlap_policy=self.overlap_policy,
            gap_policy=self.gap_policy,
            fold_policy=self.fold_policy,
            pause_after_failures=self.pause_after_failures,
        )


@strawberry.input(
    description=(
        "WEBHOOK trigger. The server makes the secret unless one is given (as GitHub, Stripe"
        " and Slack do)."
    )
)
class WebhookTriggerConfigInput:
    """WEBHOOK trigger."""

    scheme: WebhookScheme = strawberry.field(
        default=WebhookScheme.STANDARD, description="How calls are signed."
    )
    secret: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The sender's secret; stored encrypted, never shown again.",
    )
    tolerance_seconds: int = strawberry.field(
        default=300, description="How old a signed call may be."
    )
    input_mapping: JSONObject | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Where inputs come from in the payload: name -> expression over `payload` and"
            " `headers`."
        ),
    )

    def to_config(self, path: Path) -> drafts.WebhookConfig:
        """Return the settings as the engine knows them; raise InvalidInput."""
        return drafts.WebhookConfig(
            scheme=self.scheme,
            secret=given(self.secret),
            tolerance_seconds=self.tolerance_seconds,
            input_mapping=_mapping(self.input_mapping, path),
        )


@strawberry.input(description="API trigger. The server makes the key.")
class ApiTriggerConfigInput:
    """API trigger. The server makes the key."""

    input_mapping: JSONObject | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Where inputs come from in the body: name -> expression over `payload` and `headers`."
        ),
    )

    def to_config(self, path: Path) -> drafts.ApiConfig:
        """Return the settings as the engine knows them; raise InvalidInput."""
        return drafts.ApiConfig(input_mapping=_mapping(self.input_mapping, path))


@strawberry.input(description="EVENT trigger.")
class EventTriggerConfigInput:
    """EVENT trigger."""

    event_type: str = strawberry.field(
        description="Event type; a trailing `.*` matches any suffix."
    )
    filter: Expression | None = strawberry.field(
        default=strawberry.UNSET, description="Test on the event."
    )
    input_mapping: JSONObject | None = strawberry.field(
        default=strawberry.UNSET,
        description="Where inputs come from: name -> expression over `event`.",
    )

    def to_config(self, path: Path) -> drafts.EventConfig:
        """Return the settings as the engine knows them; raise InvalidInput."""
        return drafts.EventConfig(
            event_type=self.event_type,
            filter=given(self.filter),
            input_mapping=_mapping(self.input_mapping, path),
        )


@strawberry.input(
    one_of=True,
    description=("Settings of a trigger: exactly one member, which also says its type."),
)
class TriggerConfigInput:
    """Settings of a trigger: exactly one member, which also says its type."""

    manual: ManualTriggerConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="MANUAL"
    )
    scheduled: ScheduledTriggerConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="SCHEDULED"
    )
    webhook: WebhookTriggerConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="WEBHOOK"
    )
    api: ApiTriggerConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="API"
    )
    event: EventTriggerConfigInput | None = strawberry.field(
        default=strawberry.UNSET, description="EVENT"
    )

    def to_config(self, path: Path) -> drafts.TriggerConfig:
        """Return the one configuration that was given; raise InvalidInput."""
        if self.manual:
            return self.manual.to_config()
        if self.scheduled:
            return self.scheduled.to_config()
        if self.webhook:
            return self.webhook.to_config((*path, "webhook"))
        if self.api:
            return self.api.to_config((*path, "api"))
        if self.event:
            return self.event.to_config((*path, "event"))
        raise InvalidInput("Give exactly one of manual, scheduled, webhook, api and event.", path)


def _mapping(mapping: JSONObject | None, path: Path) -> dict[str, str]:
    return texts(mapping or {}, (*path, "inputMapping"))
