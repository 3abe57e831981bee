"""Proves the numbers that workflows and triggers show, against a hand count."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.clock import to_ms
from promptpilot.models import Execution
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
async def test_a_trigger_counts_its_failures_since_the_last_success(
    failures: int, api: Api
) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    await _store(api, [(3 * HOUR, 5)], trigger_id=trigger_id, **FAILED, output=None)
    await _store(api, [(2 * HOUR, 40)], trigger_id=trigger_id)
    ages = [(HOUR - each, 7) for each in range(failures)]
    await _store(api, ages, trigger_id=trigger_id, **FAILED, output=None)

    found = (await api.run(STATS, id=trigger_id))["trigger"]["stats"]

    assert (found["startedCount"], found["completedCount"]) == (2 + failures, 1)
    assert (found["failedCount"], found["consecutiveFailureCount"]) == (1 + failures, failures)
    last = ("FAILED", 7) if failures else ("COMPLETED", 40)
    assert (found["lastStatus"], found["lastDurationMs"]) == last
    assert (found["medianDurationMs"], found["notStartedCount"]) == (40, 0)
