"""When a trigger fires next, as it is stored whenever the trigger is made or changed.

Rules: only a SCHEDULED trigger that is switched on has a next run. It is counted from now, so what
passed while the trigger was off, or under another schedule, is never made up for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.schedule_configs import fires_alike, load_schedule
from promptpilot.models import Trigger

Columns = dict[str, Any]


def next_run(row: Trigger, now: datetime) -> datetime | None:
    """Return when a trigger fires next after `now`; None if it does not fire by the clock."""
    if row.type != TriggerType.SCHEDULED or not row.is_active:
        return None
    return load_schedule(row.config).next_after(now)


def moved_columns(row: Trigger, changes: Mapping[str, Any], now: datetime) -> Columns:
    """Return the columns that say when a trigger fires next, if `changes` to it move that."""
    kind = changes.get("type", row.type)
    config = changes.get("config", row.config)
    is_active = changes.get("is_active", row.is_active)
    if kind != TriggerType.SCHEDULED:
        was_scheduled = row.type == TriggerType.SCHEDULED
        return {"next_run_at": None, "last_scheduled_for": None} if was_scheduled else {}
    is_new = row.type != TriggerType.SCHEDULED or not fires_alike(row.config, config)
    if not is_new and is_active == row.is_active:
        return {}
    due = load_schedule(config).next_after(now) if is_active else None
    return {"next_run_at": due, **({"last_scheduled_for": None} if is_new else {})}
