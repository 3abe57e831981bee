"""Proves the numbers that workflows and triggers show, against a hand count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptpilot import ids
from promptpilot.clock import from_ms, to_ms
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.triggers.kinds import FiringOutcome
from promptpilot.engine.triggers.news import News
from promptpilot.models import Execution, Firing
from tests.schema.api import Api
from tests.schema.documents import make_trigger, make_workflow
from tests.schema.rows import execution_row
from tests.support.clock import BEGINNING

NOW = to_ms(BEGINNING)
HOUR = 3_600_000
STATISTICS = """
query ($id: ID!, $w: DateTimeRange) { workflow(id: $id) { statistics(window: $w) {
  countsByStatus { status count } medianDurationMs p95DurationMs
  usage { promptTokens completionTokens totalTokens costUsd }
} } }
"""
STATS = """
query ($id: ID!) { trigger(id: $id) { stats {
  startedCount completedCount failedCount notStartedCount medianDurationMs p95DurationMs
  lastStatus lastDurationMs consecutiveFailureCount
} } }
"""
FAILED = {"status": "FAILED", "error": {"code": "X", "message": "No.", "isRetryable": False}}


async def _store(api: Api, ages: list[tuple[int, int]], **others: Any) -> None:
    """Store COMPLETED executions of (age, duration) in milliseconds."""
    assert api.principal is not None
    rows = [
        execution_row(api.principal, NOW - age, NOW - age + took, **others) for age, took in ages
    ]
    await Execution.bulk_create(rows)


async def test_a_workflow_counts_its_executions_of_a_week(api: Api) -> None:
    workflow_id = await make_workflow(api)
    spent = {"prompt_tokens": 2, "completion_tokens": 1, "cost_micros": 5}
    await _store(
        api, [(HOUR, 10), (2 * HOUR, 20), (3 * HOUR, 30)], workflow_id=workflow_id, **spent
    )
    await _store(api, [(HOUR, 5)], workflow_id=workflow_id, **FAILED, output=None)
    await _store(api, [(24 * 8 * HOUR, 999)], workflow_id=workflow_id)

    found = (await api.run(STATISTICS, id=workflow_id))["workflow"]["statistics"]

    counts = [{"status": "COMPLETED", "count": 3}, {"status": "FAILED", "count": 1}]
    assert found["countsByStatus"] == counts
    assert (found["medianDurationMs"], found["p95DurationMs"]) == (20, 30)
    tokens = {"promptTokens": 6, "completionTokens": 3, "totalTokens": 9}
    assert found["usage"] == {**tokens, "costUsd": "0.000015"}


async def test_a_workflow_that_never_ran_has_no_durations(api: Api) -> None:
    found = (await api.run(STATISTICS, id=await make_workflow(api)))["workflow"]["statistics"]

    assert (found["countsByStatus"], found["medianDurationMs"]) == ([], None)
    assert found["usage"]["costUsd"] == "0.000000"


async def test_a_window_of_more_than_ninety_days_is_refused(api: Api) -> None:
    window = {"from": "2026-01-01T00:00:00Z"}

    refused = await api.refused(STATISTICS, id=await make_workflow(api), w=window)

    assert "at most 90 days" in refused.message


async def test_a_window_at_either_end_of_time_is_empty(api: Api) -> None:
    workflow_id = await make_workflow(api)
    await _store(api, [(HOUR, 10)], workflow_id=workflow_id)
    windows = [{"until": "0001-01-01T00:00:00Z"}, {"from": "9999-12-31T23:59:59.999999Z"}]

    found = [await api.run(STATISTICS, id=workflow_id, w=window) for window in windows]

    assert [each["workflow"]["statistics"]["countsByStatus"] for each in found] == [[], []]


@pytest.mark.parametrize("failures", [0, 2])
async def test_a_trigger_counts_its_executions_and_tells_of_the_last(
    failures: int, api: Api
) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    await _store(api, [(3 * HOUR, 5)], trigger_id=trigger_id, **FAILED, output=None)
    await _store(api, [(2 * HOUR, 40)], trigger_id=trigger_id)
    ages = [(HOUR - each, 7) for each in range(failures)]
    await _store(api, ages, trigger_id=trigger_id, **FAILED, output=None)

    found = (await api.run(STATS, id=trigger_id))["trigger"]["stats"]

    assert (found["startedCount"], found["completedCount"]) == (2 + failures, 1)
    assert (found["failedCount"], found["notStartedCount"]) == (1 + failures, 0)
    last = ("FAILED", 7) if failures else ("COMPLETED", 40)
    assert (found["lastStatus"], found["lastDurationMs"]) == last
    assert found["medianDurationMs"] == 40


async def test_a_trigger_tells_the_failures_in_a_row_that_were_counted(api: Api) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    rows = [(HOUR - each, 7) for each in range(3)]
    news = {"news_at": from_ms(NOW), "trigger_id": trigger_id}
    await _store(api, rows, **news, **FAILED, output=None)
    telling = News(
        api.engine.database, api.engine.parts.dispatcher, Outbox(api.engine.clock), api.engine.clock
    )
    before = (await api.run(STATS, id=trigger_id))["trigger"]["stats"]

    await telling.tell()

    after = (await api.run(STATS, id=trigger_id))["trigger"]["stats"]
    counts = [each["consecutiveFailureCount"] for each in (before, after)]
    assert counts == [0, 3]


@dataclass(frozen=True)
class Past:
    """An execution that was accepted `age` ago, as random tests make them."""

    age: int
    took: int
    status: str

    @property
    def is_finished(self) -> bool:
        """Whether it has a duration."""
        return self.status != "PENDING"


#: Some are older than the 24 hours that are looked at.
PAST = st.builds(
    Past,
    age=st.integers(1, 30 * HOUR),
    took=st.integers(0, 5_000),
    status=st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CANCELLED", "PENDING"]),
)
FIRED = st.tuples(st.integers(1, 30 * HOUR), st.sampled_from(list(FiringOutcome)))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pasts=st.lists(PAST, max_size=45, unique_by=lambda each: each.age),
    fired=st.lists(FIRED, max_size=8),
)
async def test_the_numbers_of_a_trigger_are_those_of_its_rows(
    pasts: list[Past], fired: list[tuple[int, FiringOutcome]], api: Api
) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    for past in pasts:
        await _store_past(api, past, trigger_id)
    await Firing.bulk_create([_firing(api, age, outcome, trigger_id) for age, outcome in fired])

    found = (await api.run(STATS, id=trigger_id))["trigger"]["stats"]

    not_started = sum(
        age < 24 * HOUR and outcome is not FiringOutcome.STARTED for age, outcome in fired
    )
    assert found == {**_expected(pasts), "notStartedCount": not_started}


def _expected(pasts: list[Past]) -> dict[str, Any]:
    """Count by hand, the newest first."""
    newest_first = sorted(pasts, key=lambda each: each.age)
    recent = [each for each in newest_first if each.age < 24 * HOUR]
    counts = Counter(each.status for each in recent)
    durations = sorted(each.took for each in recent if each.status == "COMPLETED")
    finished = [each.took for each in newest_first if each.is_finished]
    return {
        "startedCount": len(recent),
        "completedCount": counts["COMPLETED"],
        "failedCount": counts["FAILED"],
        "medianDurationMs": _nearest_rank(durations, 50),
        "p95DurationMs": _nearest_rank(durations, 95),
        "lastStatus": newest_first[0].status if newest_first else None,
        "lastDurationMs": finished[0] if finished else None,
        "consecutiveFailureCount": 0,
    }


def _nearest_rank(durations: list[int], percent: int) -> int | None:
    """Return the smallest duration that `percent` of all do not exceed."""
    most = len(durations) * percent
    reaching = (each for place, each in enumerate(durations, start=1) if place * 100 >= most)
    return next(reaching, None)


async def _store_past(api: Api, past: Past, trigger_id: str) -> None:
    assert api.principal is not None
    begun = NOW - past.age
    ended = begun + past.took if past.is_finished else None
    others: dict[str, Any] = {"status": past.status, "trigger_id": trigger_id}
    if past.status in {"FAILED", "CANCELLED"}:
        others |= {"output": None, "error": FAILED["error"] if past.status == "FAILED" else None}
    await execution_row(api.principal, begun, ended, **others).save()


def _firing(api: Api, age: int, outcome: FiringOutcome, trigger_id: str) -> Firing:
    assert api.principal is not None
    return Firing(
        id=ids.new_id(ids.Kind.FIRING),
        workspace_id=api.principal.workspace_id,
        trigger_id=trigger_id,
        trigger_type="WEBHOOK",
        outcome=outcome.value,
        execution_id="ex_1" if outcome is FiringOutcome.STARTED else None,
        created_at=from_ms(NOW - age),
    )
