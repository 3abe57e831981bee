"""Waits for what happens in an execution, through the API alone."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from tests.schema.api import Api

EVENTS = """
subscription ($id: ID!, $after: String) { executionEvents(executionId: $id, after: $after) {
  __typename cursor sequence execution { status }
  ... on ExecutionStatusChanged { fromStatus toStatus }
  ... on StepStatusChanged { fromStepStatus toStepStatus stepExecution { stepName status } }
  ... on StepRetryScheduled { stepExecution { stepName } attempt { number nextAttemptAt } }
} }
"""


async def finish(api: Api, execution_id: str) -> list[dict[str, Any]]:
    """Wait until an execution is final; return all its events."""
    return await events_after(api, execution_id, None)


async def events_after(api: Api, execution_id: str, cursor: str | None) -> list[dict[str, Any]]:
    """Wait until an execution is final; return its events after `cursor`."""
    events = []
    async for result in api.watch(EVENTS, id=execution_id, after=cursor):
        assert result.errors is None, result.errors
        assert result.data is not None
        events.append(result.data["executionEvents"])
    return events


async def reach(api: Api, execution_id: str, status: str) -> None:
    """Wait until an execution has had this status."""
    async with aclosing(api.watch(EVENTS, id=execution_id, after=None)) as results:
        async for result in results:
            assert result.errors is None, result.errors
            assert result.data is not None
            if result.data["executionEvents"].get("toStatus") == status:
                return
    raise AssertionError(f"{execution_id} ended without being {status}")
