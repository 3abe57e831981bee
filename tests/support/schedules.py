"""Schedules on a clock that a test moves, and what became of their times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.commits import Committer
from promptpilot.engine.control import Control
from promptpilot.engine.drafts import ScheduledConfig
from promptpilot.engine.launch import Launcher
from promptpilot.engine.triggers.schedule import Schedule
from promptpilot.engine.triggers.schedule_configs import load_schedule, stored_scheduled
from promptpilot.engine.triggers.scheduler import Scheduler
from promptpilot.models import Execution, Firing, Trigger, Workflow
from promptpilot.models.database import Database
from tests.support.bench import Bench


@dataclass
class Clockwork:
    """Makes schedulers and schedules of one workflow, and tells what became of them."""

    bench: Bench
    workflow: Workflow

    def scheduler(
        self,
        clock: Clock | None = None,
        database: Database | None = None,
        committer: Committer | None = None,
    ) -> Scheduler:
        """Make a scheduler, on the bench's clock and database unless told otherwise."""
        bench = self.bench
        moved = clock or bench.clock
        database = database or bench.database
        launcher = Launcher(database, committer or bench.committer, bench.versions, moved)
        control = Control(database, moved)
        return Scheduler(database, launcher, control, bench.waker, bench.feed, moved)

    async def trigger(self, cron: str = "@hourly", **settings: Any) -> Trigger:
        """Store a trigger that fires from now on, as `store_trigger` does."""
        return await store_trigger(self.workflow, self.bench.clock.now(), cron, **settings)

    async def end_open(self, trigger: Trigger) -> list[str]:
        """Let the executions of a trigger that have not ended be over; return their ids."""
        rows = await Execution.filter(trigger_id=trigger.id, finished_at__isnull=True)
        for row in rows:
            await self.bench.control.cancel(row.workspace_id, row.id, None)
        return [row.id for row in rows]


async def store_trigger(workflow: Workflow, now: datetime, cron: str, **settings: Any) -> Trigger:
    """Store a trigger that fires after `now`; `input` and `is_active` are the trigger's own."""
    own = {name: settings.pop(name) for name in ("input", "is_active") if name in settings}
    stored = stored_scheduled(ScheduledConfig(cron=cron, **settings))
    return await Trigger.create(
        id=ids.new_id(ids.Kind.TRIGGER),
        workspace_id=workflow.workspace_id,
        workflow_id=workflow.id,
        name="Clock",
        type="SCHEDULED",
        config=stored,
        next_run_at=load_schedule(stored).next_after(now),
        revision=1,
        created_at=now,
        updated_at=now,
        **{"input": {}, "is_active": True, **own},
    )


def schedule_of(trigger: Trigger) -> Schedule:
    """Return when a trigger fires."""
    return load_schedule(trigger.config)


async def outcomes(trigger: Trigger) -> list[str]:
    """Return what became of each time of a trigger, such as `13:00 STARTED`, in their order."""
    rows = await Firing.filter(trigger_id=trigger.id).order_by("scheduled_for")
    return [f"{row.scheduled_for:%H:%M} {row.outcome}" for row in rows if row.scheduled_for]


async def times(trigger: Trigger, outcome: str = "STARTED") -> list[datetime]:
    """Return the times of a trigger with an outcome, in their order."""
    rows = await Firing.filter(trigger_id=trigger.id, outcome=outcome).order_by("scheduled_for")
    return [row.scheduled_for for row in rows if row.scheduled_for]


async def all_times(trigger: Trigger) -> list[datetime]:
    """Return every time of a trigger that has a firing, in their order."""
    rows = await Firing.filter(trigger_id=trigger.id).order_by("scheduled_for")
    return [row.scheduled_for for row in rows if row.scheduled_for]


async def assert_once(trigger: Trigger) -> None:
    """Fail unless every firing has its own time, and every one that STARTED its one execution."""
    rows = await Firing.filter(trigger_id=trigger.id)
    assert len({row.scheduled_for for row in rows}) == len(rows)
    started = sorted((row.id, row.execution_id) for row in rows if row.outcome == "STARTED")
    executions = await Execution.filter(trigger_id=trigger.id)
    assert sorted((row.firing_id, row.id) for row in executions) == started
