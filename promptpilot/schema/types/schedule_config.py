"""Settings of SCHEDULED triggers, and when they fire next."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.triggers.kinds import (
    FoldPolicy,
    GapPolicy,
    MissedRunPolicy,
    OverlapPolicy,
)
from promptpilot.instants import read_instant
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.scalars import CronExpression, TimeZone
from promptpilot.schema.schedules import Window, upcoming


@strawberry.type(description="A SCHEDULED trigger.")
class ScheduledTriggerConfig:
    """A SCHEDULED trigger."""

    cron: CronExpression = strawberry.field(description="When.")
    time_zone: TimeZone = strawberry.field(
        description="In which zone; daylight saving is honoured."
    )
    starts_at: datetime | None = strawberry.field(description="Not before.")
    ends_at: datetime | None = strawberry.field(description="Not after.")
    missed_run_policy: MissedRunPolicy = strawberry.field(description="Times missed.")
    overlap_policy: OverlapPolicy = strawberry.field(
        description="Overlaps. Executions that wait count as running."
    )
    gap_policy: GapPolicy = strawberry.field(description="Times skipped by daylight saving.")
    fold_policy: FoldPolicy = strawberry.field(description="Times repeated by daylight saving.")
    pause_after_failures: int | None = strawberry.field(
        description="The trigger is paused after this many failures in a row; null means never."
    )
    trigger: strawberry.Private[rows.Trigger]

    @classmethod
    def of(cls, trigger: rows.Trigger) -> ScheduledTriggerConfig:
        """Show the settings of a stored trigger."""
        stored = trigger.config
        return cls(
            cron=stored["cron"],
            time_zone=stored["time_zone"],
            starts_at=_instant(stored["starts_at"]),
            ends_at=_instant(stored["ends_at"]),
            missed_run_policy=MissedRunPolicy(stored["missed_run_policy"]),
            overlap_policy=OverlapPolicy(stored["overlap_policy"]),
            gap_policy=GapPolicy(stored["gap_policy"]),
            fold_policy=FoldPolicy(stored["fold_policy"]),
            pause_after_failures=stored["pause_after_failures"],
            trigger=trigger,
        )

    @declare.field(description="The next times it will fire.")
    @staticmethod
    def upcoming_runs(
        root: Parent[ScheduledTriggerConfig],
        info: Info,
        count: Annotated[int, strawberry.argument(description="How many, at most 100.")] = 5,
    ) -> list[datetime]:
        runs = upcoming(root.trigger.config, Window(info.context.engine.clock.now(), count))
        return runs if root.trigger.is_active else []  # one that is off will not fire


def _instant(text: str | None) -> datetime | None:
    return None if text is None else read_instant(text)
