"""Proves what the settings of SCHEDULED, API and EVENT triggers may be, and how they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import Definition
from promptpilot.engine.drafts import ApiConfig, EventConfig, ScheduledConfig, TriggerConfig
from promptpilot.engine.triggers.configs import check_config, stored_config, type_of
from promptpilot.engine.triggers.event_configs import check_event_type, matches_event_type
from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy, MissedRunPolicy, OverlapPolicy
from promptpilot.engine.triggers.schedule_configs import load_schedule
from promptpilot.errors import InvalidInput, InvalidMany
from tests.support.clock import BEGINNING
from tests.support.drafts import transform, variable

DEFINITION = Definition(steps=(transform("a"),), variables=(variable("title"),))
SCHEDULED = ("input", "config", "scheduled")
EVENT = ("input", "config", "event")
MAPPING = ("inputMapping", "title")
HOUR = timedelta(hours=1)


def check(config: TriggerConfig) -> None:
    check_config(config, DEFINITION, BEGINNING)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"cron": ""}, "cron"),
        ({"cron": "every day"}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": "R * * * *"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"time_zone": "Mars/Base"}, "timeZone"),
        ({"time_zone": "\ud800"}, "timeZone"),
        ({"starts_at": BEGINNING + HOUR, "ends_at": BEGINNING + HOUR}, "endsAt"),
        ({"ends_at": BEGINNING}, "endsAt"),
        ({"starts_at": datetime(9999, 3, 1, tzinfo=UTC)}, "startsAt"),
        ({"ends_at": BEGINNING + timedelta(minutes=3)}, "endsAt"),
        ({"pause_after_failures": 0}, "pauseAfterFailures"),
        ({"pause_after_failures": 1001}, "pauseAfterFailures"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_by_its_path(
    settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(ScheduledConfig(**{"cron": "@hourly", **settings}))

    assert refused.value.path == (*SCHEDULED, field)


def test_a_schedule_that_daylight_saving_never_lets_fire_is_refused_with_the_reason() -> None:
    in_the_gap = ScheduledConfig(
        cron="30 2 8 3 *",
        time_zone="America/New_York",
        gap_policy=GapPolicy.SKIP,
        starts_at=datetime(2026, 3, 8, tzinfo=UTC),
        ends_at=datetime(2026, 12, 1, tzinfo=UTC),
    )

    with pytest.raises(InvalidInput, match="does not fire between startsAt, or now, and endsAt"):
        check(in_the_gap)


def test_all_faults_of_a_schedule_are_told_at_once() -> None:
    with pytest.raises(InvalidMany) as refused:
        check(ScheduledConfig(cron="x", time_zone="y", pause_after_failures=-1))

    assert [fault.path[-1] for fault in refused.value.errors] == [
        "cron",
        "timeZone",
        "pauseAfterFailures",
    ]


#: A schedule that says everything, and the document that is stored of it.
_WHOLE = ScheduledConfig(
    cron=" 0 9 * * 1 ",
    time_zone="Europe/London",
    starts_at=BEGINNING,
    ends_at=BEGINNING + timedelta(days=30),
    missed_run_policy=MissedRunPolicy.RUN_ALL,
    overlap_policy=OverlapPolicy.QUEUE_ALL,
    gap_policy=GapPolicy.SKIP,
    fold_policy=FoldPolicy.BOTH,
    pause_after_failures=None,
)
_STORED = {
    "cron": "0 9 * * 1",
    "time_zone": "Europe/London",
    "starts_at": "2026-09-01T12:00:30.000Z",
    "ends_at": "2026-10-01T12:00:30.000Z",
    "missed_run_policy": "RUN_ALL",
    "overlap_policy": "QUEUE_ALL",
    "gap_policy": "SKIP",
    "fold_policy": "BOTH",
    "pause_after_failures": None,
}


def test_a_schedule_is_stored_in_full_and_read_again() -> None:
    check(_WHOLE)

    stored = stored_config(_WHOLE)

    assert stored == _STORED
    assert load_schedule(stored).next_after(BEGINNING) == datetime(2026, 9, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"event_type": ""}, ("eventType",)),
        ({"event_type": "*"}, ("eventType",)),
        ({"event_type": "order*"}, ("eventType",)),
        ({"event_type": "order.*.created"}, ("eventType",)),
        ({"event_type": ".order"}, ("eventType",)),
        ({"event_type": "order created"}, ("eventType",)),
        ({"event_type": "order\n"}, ("eventType",)),
        ({"event_type": "\ud800"}, ("eventType",)),
        ({"event_type": "a" * 201}, ("eventType",)),
        ({"filter": "event."}, ("filter",)),
        ({"filter": "payload.x == 1"}, ("filter",)),
        ({"input_mapping": {"title": "payload.x"}}, MAPPING),
        ({"input_mapping": {"title": "event."}}, MAPPING),
        ({"input_mapping": {"other": "event.id"}}, ("inputMapping", "other")),
    ],
)
def test_an_event_trigger_that_cannot_be_is_refused_by_its_path(
    settings: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(EventConfig(**{"event_type": "order.created", **settings}))

    assert refused.value.path == (*EVENT, *path)


@pytest.mark.parametrize("event_type", ["a", "order.created", "order.*", "a-1.B_2.c.*", "a" * 200])
def test_types_of_events_are_words_with_dots(event_type: str) -> None:
    config = EventConfig(
        event_type=event_type,
        filter="event.payload.total > 10",
        input_mapping={"title": "event.type"},
    )

    check(config)

    assert stored_config(config) == {
        "event_type": event_type,
        "filter": "event.payload.total > 10",
        "input_mapping": {"title": "event.type"},
    }


def test_the_type_of_one_event_has_no_star() -> None:
    check_event_type("order.created", ("input", "eventType"))

    with pytest.raises(InvalidInput) as refused:
        check_event_type("order.*", ("input", "eventType"))

    assert refused.value.path == ("input", "eventType")


@pytest.mark.parametrize(
    ("pattern", "event_type", "is_told"),
    [
        ("order.created", "order.created", True),
        ("order.created", "order.created.twice", False),
        ("order.*", "order.created", True),
        ("order.*", "order.created.twice", True),
        ("order.*", "order", False),
        ("order.*", "orders.created", False),
    ],
)
def test_a_trailing_star_listens_to_any_suffix(
    pattern: str, event_type: str, *, is_told: bool
) -> None:
    assert matches_event_type(pattern, event_type) is is_told


def test_an_api_trigger_maps_payload_and_headers() -> None:
    config = ApiConfig(input_mapping={"title": "payload.title + headers.host"})

    check(config)

    assert stored_config(config) == {"input_mapping": {"title": "payload.title + headers.host"}}
    with pytest.raises(InvalidInput) as refused:
        check(ApiConfig(input_mapping={"title": "event.x"}))
    assert refused.value.path == ("input", "config", "api", *MAPPING)


def test_each_config_says_its_type() -> None:
    configs = (ScheduledConfig(cron="@daily"), ApiConfig(), EventConfig(event_type="a"))

    assert [type_of(config) for config in configs] == ["SCHEDULED", "API", "EVENT"]
