"""Tells when schedules fire next, before and after they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from promptpilot.engine.gathering import gather
from promptpilot.engine.triggers.cron import parse_cron
from promptpilot.engine.triggers.schedule import Schedule
from promptpilot.engine.triggers.schedule_configs import load_schedule
from promptpilot.engine.triggers.zones import zone_of
from promptpilot.errors import InvalidInput

MAX_COUNT: Final = 100

_CRON: Final = ("cron",)
_ZONE: Final = ("timeZone",)


@dataclass(frozen=True, slots=True)
class Window:
    """The first `count` firings after an instant."""

    after: datetime
    count: int


def preview(cron: str, time_zone: str, window: Window) -> list[datetime]:
    """Return when an expression fires in a zone; raise InvalidInput or InvalidMany."""
    gather(
        partial(parse_cron, cron, _CRON),
        partial(zone_of, time_zone, _ZONE),
        partial(check_count, window.count),
    )
    schedule = Schedule(parse_cron(cron, _CRON), zone_of(time_zone, _ZONE))
    return schedule.upcoming(window.after, window.count)


def upcoming(stored: Mapping[str, Any], window: Window) -> list[datetime]:
    """Return when a schedule with these stored settings fires; raise InvalidInput."""
    check_count(window.count)
    return load_schedule(stored).upcoming(window.after, window.count)


def check_count(count: int) -> None:
    """Raise InvalidInput for more firings than are computed at once, and for none."""
    if not 1 <= count <= MAX_COUNT:
        raise InvalidInput(f"count is {count}; it must be 1 to {MAX_COUNT}.", ("count",))
