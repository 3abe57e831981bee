"""Proves that schedules are made, shown, previewed and refused through the API."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.triggers.news import News
from promptpilot.engine.triggers.scheduler import Scheduler
from promptpilot.errors import InvalidMany, Unauthenticated
from tests.schema.api import Api
from tests.schema.documents import (
    change_trigger,
    create_trigger,
    failing,
    make_trigger,
    make_workflow,
)
from tests.schema.watching import finish
from tests.support.clock import ManualClock

INPUT = {"title": "A bug"}
SCHEDULED = ("input", "config", "scheduled")
DEFAULTS = {
    "__typename": "ScheduledTriggerConfig",
    "timeZone": "UTC",
    "startsAt": None,
    "endsAt": None,
    "missedRunPolicy": "RUN_ONCE",
    "overlapPolicy": "SKIP",
    "gapPolicy": "SHIFT",
    "foldPolicy": "FIRST",
    "pauseAfterFailures": 10,
}
FIRINGS = """
query ($id: ID!) { trigger(id: $id) {
  isActive pausedReason nextRunAt lastTriggeredAt
  stats { startedCount failedCount notStartedCount consecutiveFailureCount lastStatus }
  firings { nodes {
    outcome scheduledFor dedupeKey verification { isVerified } error { code message }
    execution { id triggerType status }
  } }
} }
"""
PREVIEW = """
query ($cron: CronExpression!, $zone: TimeZone! = "UTC", $from: DateTime, $count: Int! = 5) {
  previewSchedule(cron: $cron, timeZone: $zone, from: $from, count: $count)
}
"""


async def test_a_schedule_is_shown_with_its_defaults_and_next_times(api: Api) -> None:
    payload = await create_trigger(api, {"scheduled": {"cron": "0 9 * * 1-5"}}, input=INPUT)

    trigger = payload["trigger"]
    assert (payload["secret"], payload["errors"]) == (None, [])
    assert (trigger["type"], trigger["nextRunAt"]) == ("SCHEDULED", "2026-09-02T09:00:00Z")
    times = [f"2026-09-{day}T09:00:00Z" for day in ("02", "03", "04")]
    assert trigger["config"] == {**DEFAULTS, "cron": "0 9 * * 1-5", "upcomingRuns": times}


async def test_every_setting_of_a_schedule_is_kept(api: Api) -> None:
    config = {
        "cron": "30 2 * * *",
        "timeZone": "America/New_York",
        "startsAt": "2026-10-01T00:00:00Z",
        "endsAt": "2027-10-01T00:00:00Z",
        "missedRunPolicy": "RUN_ALL",
        "overlapPolicy": "QUEUE_ALL",
        "gapPolicy": "SKIP",
        "foldPolicy": "BOTH",
        "pauseAfterFailures": None,
    }

    trigger = (await create_trigger(api, {"scheduled": config}, input=INPUT))["trigger"]

    assert {name: trigger["config"][name] for name in config} == config
    assert trigger["nextRunAt"] == "2026-10-01T06:30:00Z"


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"cron": "0 0 31 2 *"}, "cron", "never come"),
        ({"cron": "R 0 * * *"}, "cron", "minute"),
        ({"cron": "H 0 * * *"}, "cron", "minute"),
        ({"cron": "0 0 * * * *"}, "cron", "exactly five fields"),
        ({"cron": ""}, "cron", "exactly five fields"),
        ({"cron": "60 * * * *"}, "cron", "minute"),
        ({"cron": "* * * * *", "timeZone": "Europe/Berlino"}, "timeZone", "Europe/Berlin"),
        ({"cron": "* * * * *", "timeZone": ""}, "timeZone", "Europe/London"),
        ({"cron": "* * * * *", "endsAt": "2020-01-01T00:00:00Z"}, "endsAt", "later endsAt"),
        ({"cron": "* * * * *", "pauseAfterFailures": 0}, "pauseAfterFailures", "1 to"),
    ],
)
async def test_what_cannot_fire_is_refused_with_the_way_out(
    wrong: dict[str, Any], field: str, words: str, api: Api
) -> None:
    payload = await create_trigger(api, {"scheduled": wrong}, input=INPUT)

    assert payload["trigger"] is None
    assert [each["path"] for each in payload["errors"]] == [[*SCHEDULED, field]]
    assert words in payload["errors"][0]["message"]


async def test_all_that_is_wrong_is_told_at_once(api: Api) -> None:
    wrong = {"cron": "x", "timeZone": "x", "pauseAfterFailures": -1}

    payload = await create_trigger(api, {"scheduled": wrong})

    fields = [each["path"][-1] for each in payload["errors"]]
    assert fields == ["cron", "timeZone", "pauseAfterFailures"]


async def test_a_schedule_that_is_off_has_no_next_time_and_gets_one_again(api: Api) -> None:
    made = (await create_trigger(api, {"scheduled": {"cron": "@daily"}}, input=INPUT))["trigger"]

    off = (await change_trigger(api, made["id"], isActive=False))["trigger"]
    on = (await change_trigger(api, made["id"], isActive=True))["trigger"]

    assert (off["nextRunAt"], off["config"]["upcomingRuns"]) == (None, [])
    assert on["nextRunAt"] == made["nextRunAt"] == made["config"]["upcomingRuns"][0]


async def test_a_schedule_of_another_cron_has_other_times(api: Api) -> None:
    made = (await create_trigger(api, {"scheduled": {"cron": "@daily"}}, input=INPUT))["trigger"]

    changed = await change_trigger(api, made["id"], config={"scheduled": {"cron": "@hourly"}})
    manual = await change_trigger(api, made["id"], config={"manual": {}})

    assert changed["trigger"]["nextRunAt"] == "2026-09-01T13:00:00Z"
    assert manual["trigger"]["nextRunAt"] is None


async def test_what_was_due_is_shown_with_its_time(
    api: Api, scheduler: Scheduler, clock: ManualClock
) -> None:
    config = {"scheduled": {"cron": "@hourly"}}
    trigger = (await create_trigger(api, config, input=INPUT))["trigger"]
    clock.move(hours=1)

    await scheduler.tick()

    found = (await api.run(FIRINGS, id=trigger["id"]))["trigger"]
    (firing,) = found["firings"]["nodes"]
    assert (firing["outcome"], firing["scheduledFor"]) == ("STARTED", trigger["nextRunAt"])
    assert (firing["verification"], firing["error"]) == (None, None)
    assert firing["execution"]["triggerType"] == "SCHEDULED"
    assert found["nextRunAt"] == "2026-09-01T14:00:00Z"
    assert found["lastTriggeredAt"] == "2026-09-01T13:00:30Z"


async def test_a_time_that_starts_nothing_says_why(
    api: Api, scheduler: Scheduler, clock: ManualClock
) -> None:
    trigger_id = (await create_trigger(api, {"scheduled": {"cron": "@hourly"}}))["trigger"]["id"]
    clock.move(hours=1)

    await scheduler.tick()

    found = (await api.run(FIRINGS, id=trigger_id))["trigger"]
    (firing,) = found["firings"]["nodes"]
    assert (firing["outcome"], firing["execution"]) == ("REJECTED", None)
    assert firing["error"]["code"] == "INVALID_INPUT"
    assert "title" in firing["error"]["message"]
    assert (found["stats"]["startedCount"], found["stats"]["notStartedCount"]) == (0, 1)


@pytest.mark.usefixtures("worker")
async def test_a_schedule_that_only_fails_is_paused_with_the_reason(
    api: Api, scheduler: Scheduler, clock: ManualClock
) -> None:
    workflow_id = await make_workflow(api, **failing())
    config = {"scheduled": {"cron": "@hourly", "pauseAfterFailures": 1}}
    trigger_id = await make_trigger(api, workflow_id, config)
    await change_trigger(api, trigger_id, input=INPUT)
    clock.move(hours=1)
    await scheduler.tick()
    nodes = (await api.run(FIRINGS, id=trigger_id))["trigger"]["firings"]["nodes"]
    await finish(api, nodes[0]["execution"]["id"])

    await _tell(api)

    found = (await api.run(FIRINGS, id=trigger_id))["trigger"]
    assert (found["isActive"], found["nextRunAt"]) == (False, None)
    assert "failed 1 time in a row" in found["pausedReason"]
    assert found["stats"]["consecutiveFailureCount"] == 1


async def test_a_paused_schedule_goes_on_without_what_it_missed(
    api: Api, scheduler: Scheduler, clock: ManualClock
) -> None:
    config = {"scheduled": {"cron": "@hourly"}}
    made = (await create_trigger(api, config, input=INPUT, isActive=False))["trigger"]
    clock.move(hours=5)

    resumed = (await change_trigger(api, made["id"], isActive=True))["trigger"]
    await scheduler.tick()

    found = (await api.run(FIRINGS, id=made["id"]))["trigger"]
    assert (resumed["pausedReason"], resumed["nextRunAt"]) == (None, "2026-09-01T18:00:00Z")
    assert found["firings"]["nodes"] == []


@pytest.mark.parametrize("count", [0, 101, -1])
async def test_how_many_times_are_shown_is_bounded(count: int, api: Api) -> None:
    trigger_id = (await create_trigger(api, {"scheduled": {"cron": "@daily"}}))["trigger"]["id"]
    document = """query ($id: ID!, $n: Int!) { trigger(id: $id) { config {
      ... on ScheduledTriggerConfig { upcomingRuns(count: $n) } } } }"""

    error = await api.refused(document, id=trigger_id, n=count)

    assert "1 to 100" in str(error.original_error)


async def test_the_times_of_a_schedule_are_previewed_over_the_change_of_clocks(api: Api) -> None:
    times = await api.run(
        PREVIEW,
        cron="30 1 * * *",
        zone="America/New_York",
        **{"from": "2026-10-31T12:00:00-04:00", "count": 2},
    )

    assert times["previewSchedule"] == ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]


async def test_a_preview_begins_now_unless_told_otherwise(api: Api) -> None:
    found = await api.run(PREVIEW, cron="* * * * *", count=1)

    assert found["previewSchedule"] == ["2026-09-01T12:01:00Z"]


async def test_a_stranger_previews_nothing(api: Api) -> None:
    error = await api.seen_by(None).refused(PREVIEW, cron="* * * * *")

    assert isinstance(error.original_error, Unauthenticated)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "* * * * *", "zone": "Mars/Olympus"}, "timeZone"),
        ({"cron": "* * * * *", "count": 0}, "count"),
        ({"cron": "* * * * *", "count": 101}, "count"),
    ],
)
async def test_a_preview_of_what_cannot_be_is_refused(
    arguments: dict[str, Any], path: str, api: Api
) -> None:
    error = await api.refused(PREVIEW, **arguments)

    assert getattr(error.original_error, "path", None) == (path,)


async def test_all_that_is_wrong_with_a_preview_is_told_at_once(api: Api) -> None:
    error = await api.refused(PREVIEW, cron="x", zone="x", count=0)

    assert isinstance(error.original_error, InvalidMany)
    assert [each.path for each in error.original_error.errors] == [
        ("cron",),
        ("timeZone",),
        ("count",),
    ]


async def _tell(api: Api) -> None:
    """Tell triggers how their executions ended."""
    engine = api.engine
    await News(engine.database, engine.parts.dispatcher, Outbox(engine.clock), engine.clock).tell()
