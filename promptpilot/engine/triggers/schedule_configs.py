"""What the settings of a SCHEDULED trigger may be, how they are stored, and what fires by them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from promptpilot.engine.drafts import ScheduledConfig
from promptpilot.engine.gathering import gather
from promptpilot.engine.triggers.cron import parse_cron
from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy
from promptpilot.engine.triggers.schedule import END_YEAR, Schedule, check_fires
from promptpilot.engine.triggers.zones import zone_of
from promptpilot.errors import InvalidInput
from promptpilot.instants import instant_text, read_instant

MAX_PAUSE_AFTER_FAILURES: Final = 1000
_PATH: Final = ("input", "config", "scheduled")
_CRON: Final = (*_PATH, "cron")
_ZONE: Final = (*_PATH, "timeZone")
_STARTS: Final = (*_PATH, "startsAt")
_ENDS: Final = (*_PATH, "endsAt")
#: What decides when it fires; the rest decides what becomes of a firing.
_TIMES: Final = ("cron", "time_zone", "starts_at", "ends_at", "gap_policy", "fold_policy")


def check_scheduled(config: ScheduledConfig, now: datetime) -> None:
    """Raise InvalidInput or InvalidMany for settings that a SCHEDULED trigger cannot have.

    A schedule that would not fire once from `now` on is one of them.
    """
    gather(
        partial(parse_cron, config.cron, _CRON),
        partial(zone_of, config.time_zone, _ZONE),
        partial(_check_bounds, config),
        partial(_check_pause, config.pause_after_failures),
    )
    check_fires(_schedule(config), now, _CRON if config.ends_at is None else _ENDS)


def stored_scheduled(config: ScheduledConfig) -> dict[str, Any]:
    """Return the JSON document of settings that were checked."""
    return {
        "cron": parse_cron(config.cron).text,
        "time_zone": config.time_zone,
        "starts_at": _text(config.starts_at),
        "ends_at": _text(config.ends_at),
        "missed_run_policy": config.missed_run_policy.value,
        "overlap_policy": config.overlap_policy.value,
        "gap_policy": config.gap_policy.value,
        "fold_policy": config.fold_policy.value,
        "pause_after_failures": config.pause_after_failures,
    }


def load_schedule(stored: Mapping[str, Any]) -> Schedule:
    """Return when a SCHEDULED trigger with these stored settings fires.

    Raises InvalidInput when the rules of zones no longer know its zone.
    """
    return Schedule(
        parse_cron(stored["cron"]),
        zone_of(stored["time_zone"]),
        _instant(stored["starts_at"]),
        _instant(stored["ends_at"]),
        GapPolicy(stored["gap_policy"]),
        FoldPolicy(stored["fold_policy"]),
    )


def fires_alike(stored: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two stored settings have the same times."""
    return all(stored.get(name) == other.get(name) for name in _TIMES)


def _schedule(config: ScheduledConfig) -> Schedule:
    return Schedule(
        parse_cron(config.cron),
        zone_of(config.time_zone),
        config.starts_at,
        config.ends_at,
        config.gap_policy,
        config.fold_policy,
    )


def _check_bounds(config: ScheduledConfig) -> None:
    starts_at, ends_at = config.starts_at, config.ends_at
    if starts_at is not None and starts_at.year >= END_YEAR:
        message = f"startsAt is {_text(starts_at)}; it must be before the year {END_YEAR}."
        raise InvalidInput(message, _STARTS)
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        message = f"endsAt is {_text(ends_at)}; it must be after startsAt, {_text(starts_at)}."
        raise InvalidInput(message, _ENDS)


def _check_pause(failures: int | None) -> None:
    if failures is not None and not 1 <= failures <= MAX_PAUSE_AFTER_FAILURES:
        message = (
            f"pauseAfterFailures is {failures}; it must be 1 to {MAX_PAUSE_AFTER_FAILURES}, "
            "or null for never."
        )
        raise InvalidInput(message, (*_PATH, "pauseAfterFailures"))


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else read_instant(text)
