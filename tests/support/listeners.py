"""Triggers for tests that hear of events or the clock, and what came of their firings."""

from __future__ import annotations

from typing import Any

from promptpilot.engine.api import Dispatched, Engine, EventDraft
from promptpilot.engine.drafts import EventConfig, ScheduledConfig, TriggerDraft
from promptpilot.engine.principal import Principal
from promptpilot.models import Firing, Trigger, Workflow

ORDER = {"id": 7, "total": 120, "title": "Two chairs"}


async def make_listener(
    engine: Engine,
    principal: Principal,
    workflow: Workflow,
    event_type: str = "order.created",
    **others: Any,
) -> Trigger:
    """Store a trigger that listens for `event_type`, with the default title of its workflow."""
    settings = EventConfig(event_type=event_type, **others)
    asked = TriggerDraft(
        workflow_id=workflow.id, name="Listener", config=settings, input={"title": "Default"}
    )
    return (await engine.create_trigger(principal, asked))[0]


async def dispatch(
    engine: Engine, principal: Principal, event_type: str = "order.created", **others: Any
) -> Dispatched:
    """Dispatch an order."""
    draft = EventDraft(**{"event_type": event_type, "payload": ORDER, **others})
    return await engine.dispatch_event(principal, draft)


async def outcomes(trigger: Trigger) -> list[str]:
    """Return what came of the firings of a trigger, in order."""
    rows = await Firing.filter(trigger_id=trigger.id).order_by("created_at", "id")
    return [row.outcome for row in rows]


async def make_schedule(
    engine: Engine, principal: Principal, workflow: Workflow, **others: Any
) -> Trigger:
    """Store a trigger that fires every day at noon."""
    settings = ScheduledConfig(**{"cron": "0 12 * * *", **others})
    asked = TriggerDraft(workflow_id=workflow.id, name="Noon", config=settings)
    return (await engine.create_trigger(principal, asked))[0]
