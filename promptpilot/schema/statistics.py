"""How executions went over a window of time: counts, durations, tokens and money.

Units: durations are milliseconds; a percentile is the duration that so many of a hundred
completed executions did not exceed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from tortoise.queryset import QuerySet

from promptpilot.clock import to_ms
from promptpilot.engine.lifecycle import ExecutionStatus, WaitReason, shown_status
from promptpilot.errors import InvalidInput
from promptpilot.models import Execution
from promptpilot.schema.context import Context
from promptpilot.schema.given import given
from promptpilot.schema.types.outcome import TokenUsage
from promptpilot.schema.types.relay import DateTimeRange

MAX_WINDOW: Final = timedelta(days=90)

_MILLISECOND: Final = timedelta(milliseconds=1)
_MEDIAN: Final = 50
_P95: Final = 95


@dataclass(frozen=True, slots=True)
class Window:
    """The executions of one workflow or trigger that were accepted in a range of time."""

    context: Context
    column: str
    id: str
    since_ms: int
    until_ms: int

    async def fetch(self, sql: str, *more: Any) -> list[dict[str, Any]]:
        """Fetch rows; `{where}` selects the executions of this window, `$5` is the first more."""
        column = f"{self.column} = $2"
        where = f"workspace_id = $1 AND {column} AND created_at >= $3 AND created_at < $4"
        values = (self.context.require().workspace_id, self.id, self.since_ms, self.until_ms)
        return await self.context.together.fetch(sql.replace("{where}", where), *values, *more)


@dataclass(frozen=True, slots=True)
class StatusCount:
    """Number of executions in one status."""

    status: ExecutionStatus
    count: int


@dataclass(frozen=True, slots=True)
class WorkflowNumbers:
    """How a workflow has been doing."""

    counts_by_status: list[StatusCount]
    median_duration_ms: int | None
    p95_duration_ms: int | None
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class TriggerNumbers:
    """How the executions of a trigger went."""

    started_count: int
    completed_count: int
    failed_count: int
    not_started_count: int
    median_duration_ms: int | None
    p95_duration_ms: int | None
    last_status: ExecutionStatus | None
    last_duration_ms: int | None
    consecutive_failure_count: int


async def workflow_numbers(
    context: Context, workflow_id: str, range_: DateTimeRange | None
) -> WorkflowNumbers:
    """Count a workflow's executions, of the last 7 days if no range is given."""
    window = _window(context, "workflow_id", workflow_id, range_, timedelta(days=7))
    counts = await _counts(window)
    median, p95 = await _durations(window, counts[ExecutionStatus.COMPLETED])
    shown = [StatusCount(status, counts[status]) for status in ExecutionStatus if counts[status]]
    return WorkflowNumbers(shown, median, p95, await _usage(window))


async def trigger_numbers(
    context: Context, trigger_id: str, range_: DateTimeRange | None
) -> TriggerNumbers:
    """Count a trigger's executions, of the last 24 hours if no range is given."""
    window = _window(context, "trigger_id", trigger_id, range_, timedelta(hours=24))
    counts = await _counts(window)
    median, p95 = await _durations(window, counts[ExecutionStatus.COMPLETED])
    newest = await _newest(window)
    return TriggerNumbers(
        started_count=counts.total(),
        completed_count=counts[ExecutionStatus.COMPLETED],
        failed_count=counts[ExecutionStatus.FAILED],
        not_started_count=await _not_started(window),
        median_duration_ms=median,
        p95_duration_ms=p95,
        last_status=_shown(newest.status, newest.wait_reason) if newest else None,
        last_duration_ms=await _last_duration(window),
        consecutive_failure_count=await _failures_in_a_row(window),
    )


def _window(
    context: Context, column: str, id: str, range_: DateTimeRange | None, default: timedelta
) -> Window:
    until = given(range_.until) if range_ else None
    since = given(range_.since) if range_ else None
    until_ms = to_ms(until) if until else to_ms(context.engine.clock.now()) + 1
    since_ms = to_ms(since) if since else until_ms - default // _MILLISECOND
    if until_ms - since_ms > MAX_WINDOW // _MILLISECOND:
        message = f"The window may have at most {MAX_WINDOW.days} days; ask for several."
        raise InvalidInput(message, ("window" if column == "workflow_id" else "range",))
    return Window(context, column, id, since_ms, until_ms)


async def _counts(window: Window) -> Counter[ExecutionStatus]:
    found = await window.fetch(
        "SELECT status, wait_reason, COUNT(*) AS number FROM executions"
        " WHERE {where} GROUP BY status, wait_reason"
    )
    counts: Counter[ExecutionStatus] = Counter()
    for row in found:
        counts[_shown(row["status"], row["wait_reason"])] += row["number"]
    return counts


async def _durations(window: Window, count: int) -> tuple[int | None, int | None]:
    return await _percentile(window, count, _MEDIAN), await _percentile(window, count, _P95)


async def _percentile(window: Window, count: int, percent: int) -> int | None:
    found = await window.fetch(
        "SELECT finished_at - started_at AS duration FROM executions"
        " WHERE {where} AND status = 'COMPLETED' ORDER BY duration LIMIT 1 OFFSET $5",
        max(0, -(-count * percent // 100) - 1),  # whole numbers: 0.95 is none of binary
    )
    return found[0]["duration"] if found else None


async def _usage(window: Window) -> TokenUsage:
    found = await window.fetch(
        "SELECT COALESCE(SUM(prompt_tokens), 0) AS prompt,"
        " COALESCE(SUM(completion_tokens), 0) AS completion,"
        " COALESCE(SUM(cost_micros), 0) AS cost,"
        " COALESCE(SUM(CASE WHEN has_unknown_cost THEN 1 ELSE 0 END), 0) AS unknown"
        " FROM executions WHERE {where}"
    )
    sums = {name: int(value) for name, value in found[0].items()}
    cost = None if sums["unknown"] else sums["cost"]
    return TokenUsage.of(sums["prompt"], sums["completion"], cost)


async def _newest(window: Window) -> Execution | None:
    return await _first(window, _executions(window))


async def _last_duration(window: Window) -> int | None:
    done = _executions(window).filter(finished_at__isnull=False, started_at__isnull=False)
    last = await _first(window, done)
    if last is None or last.finished_at is None or last.started_at is None:
        return None
    return to_ms(last.finished_at) - to_ms(last.started_at)


async def _failures_in_a_row(window: Window) -> int:
    """Return what the trigger has counted; that is not a matter of the window."""
    trigger = await window.context.loaders.trigger.load(window.id)
    return trigger.consecutive_failures if trigger else 0


async def _not_started(window: Window) -> int:
    found = await window.context.together.fetch(
        "SELECT COUNT(*) AS number FROM firings WHERE workspace_id = $1 AND trigger_id = $2"
        " AND created_at >= $3 AND created_at < $4 AND outcome <> 'STARTED'",
        window.context.require().workspace_id,
        window.id,
        window.since_ms,
        window.until_ms,
    )
    return int(found[0]["number"])


async def _first(window: Window, rows: QuerySet[Execution]) -> Execution | None:
    """Return the newest, without what it was given and gave."""
    newest = rows.order_by("-created_at", "-id").limit(1)
    short = newest.only("id", "status", "wait_reason", "created_at", "started_at", "finished_at")
    return next(iter(await window.context.together.rows(short)), None)


def _executions(window: Window) -> QuerySet[Execution]:
    workspace_id = window.context.require().workspace_id
    return Execution.filter(workspace_id=workspace_id, **{window.column: window.id})


def _shown(status: str, reason: str | None) -> ExecutionStatus:
    return shown_status(ExecutionStatus(status), WaitReason(reason) if reason else None)
