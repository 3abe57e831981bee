"""Proves that the next run of a trigger is right after every way of making and changing it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.drafts import (
    ManualConfig,
    ScheduledConfig,
    TriggerChange,
    TriggerConfig,
    TriggerDraft,
)
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.kinds import OverlapPolicy
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import InvalidInput
from promptpilot.models import Trigger, Workflow
from tests.support.clock import BEGINNING, ManualClock
from tests.support.drafts import draft, transform

HOURLY = ScheduledConfig(cron="@hourly")
DAILY = ScheduledConfig(cron="@daily")
#: Of an hourly and a daily schedule, after 12:00:30.
AT_ONE = BEGINNING.replace(hour=13, second=0)
AT_MIDNIGHT = BEGINNING.replace(day=2, hour=0, second=0)


@pytest.fixture
async def workflow(workflows: Workflows, principal: Principal) -> Workflow:
    """Give a workflow without inputs."""
    return await workflows.create(principal, draft(transform("a")))


async def make(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    config: TriggerConfig = HOURLY,
    **others: Any,
) -> Trigger:
    """Store a trigger called "Clock" that has fired at noon."""
    asked = TriggerDraft(workflow_id=workflow.id, name="Clock", config=config, **others)
    row, _ = await triggers.create(principal, asked)
    await Trigger.filter(id=row.id).update(last_scheduled_for=BEGINNING.replace(second=0))
    return row


async def change(triggers: Triggers, principal: Principal, row: Trigger, **asked: Any) -> Trigger:
    """Change a trigger and return it as it is stored then."""
    await triggers.update(principal, TriggerChange(id=row.id, **asked))
    return await Trigger.get(id=row.id)


async def test_a_new_schedule_fires_next_after_now(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row = await make(triggers, principal, workflow)

    assert (await Trigger.get(id=row.id)).next_run_at == AT_ONE


@pytest.mark.parametrize(("config", "is_active"), [(HOURLY, False), (ManualConfig(), True)])
async def test_what_is_off_or_of_another_type_has_no_next_run(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    config: TriggerConfig,
    *,
    is_active: bool,
) -> None:
    row = await make(triggers, principal, workflow, config, is_active=is_active)

    assert (await Trigger.get(id=row.id)).next_run_at is None


async def test_switching_off_and_on_counts_from_now_and_makes_up_for_nothing(
    triggers: Triggers, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    row = await make(triggers, principal, workflow)

    off = await change(triggers, principal, row, is_active=False)
    clock.move(hours=5)
    on = await change(triggers, principal, row, is_active=True)

    assert (off.next_run_at, off.paused_reason) == (None, None)
    assert on.next_run_at == AT_ONE + timedelta(hours=5)


async def test_another_schedule_starts_afresh(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row = await make(triggers, principal, workflow)

    changed = await change(triggers, principal, row, config=DAILY)

    assert (changed.next_run_at, changed.last_scheduled_for) == (AT_MIDNIGHT, None)


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "New"},
        {"is_active": True, "name": "New"},
        {"config": ScheduledConfig(cron="@hourly", overlap_policy=OverlapPolicy.ALLOW)},
    ],
)
async def test_what_does_not_touch_the_times_leaves_the_next_run(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    clock: ManualClock,
    asked: dict[str, Any],
) -> None:
    row = await make(triggers, principal, workflow)
    clock.move(hours=5)  # no scheduler runs: five hours wait to be handled

    changed = await change(triggers, principal, row, **asked)

    assert changed.revision == 2
    assert changed.next_run_at == AT_ONE
    assert changed.last_scheduled_for is not None


async def test_a_new_schedule_of_a_trigger_that_is_off_waits_until_it_is_on(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row = await make(triggers, principal, workflow, is_active=False)

    off = await change(triggers, principal, row, config=DAILY)
    on = await change(triggers, principal, row, is_active=True)

    assert (off.next_run_at, on.next_run_at) == (None, AT_MIDNIGHT)


async def test_the_next_run_comes_and_goes_with_the_type(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row = await make(triggers, principal, workflow)

    manual = await change(triggers, principal, row, config=ManualConfig())
    scheduled = await change(triggers, principal, row, config=DAILY)

    assert (manual.next_run_at, manual.last_scheduled_for) == (None, None)
    assert scheduled.next_run_at == AT_MIDNIGHT


async def test_a_new_schedule_replaces_a_next_run_that_a_scheduler_moved_meanwhile(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row = await make(triggers, principal, workflow)
    await Trigger.filter(id=row.id).update(next_run_at=AT_MIDNIGHT + timedelta(days=9))

    changed = await change(triggers, principal, row, config=DAILY)

    assert changed.next_run_at == AT_MIDNIGHT


async def test_a_schedule_that_has_ended_is_refused(
    triggers: Triggers, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    row = await make(triggers, principal, workflow)
    ended = ScheduledConfig(cron="@hourly", ends_at=clock.now() - timedelta(days=1))

    with pytest.raises(InvalidInput) as refused:
        await change(triggers, principal, row, config=ended)

    assert refused.value.path == ("input", "config", "scheduled", "endsAt")
    assert (await Trigger.get(id=row.id)).next_run_at == AT_ONE
