"""Steps that wait, and what is done to executions that stand in a wait."""

from __future__ import annotations

from typing import Any

from promptpilot import ids
from promptpilot.engine.definition import Step
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.engine.step_configs import Choice, DecisionConfig, DecisionMode, DelayConfig
from promptpilot.models import Execution
from tests.support.bench import Bench, is_waiting

MINUTE = 60


def delay(name: str = "rest", **others: Any) -> Step:
    """Make a step that waits for a minute, or as `duration_seconds` or `until` says."""
    known = {key: others.pop(key) for key in ("duration_seconds", "until") if key in others}
    config = DelayConfig(**(known or {"duration_seconds": MINUTE}))
    return Step(name, config, id=f"st_{name}", **others)


def deciding(
    name: str = "ask",
    question: str = "Go on?",
    *,
    seconds: int | None = None,
    default: str | None = None,
    **others: Any,
) -> Step:
    """Make a step that asks a person to approve or to reject, for `seconds` at most."""
    config = DecisionConfig(
        DecisionMode.MANUAL,
        (Choice("approve"), Choice("reject")),
        default_choice=default,
        decision_timeout_seconds=seconds,
        question=question,
    )
    return Step(name, config, id=f"st_{name}", **others)


async def parked(bench: Bench, execution_id: str, runner: Runner | None = None) -> Execution:
    """Run the execution until it waits without a worker, and end that worker's process."""
    async with bench.running(runner):
        return await bench.until(execution_id, is_waiting)


async def decide(
    bench: Bench, principal: Principal, execution_id: str, choice: str, path: str = "0"
) -> None:
    """Answer at a DECISION step."""
    step_execution_id = ids.step_execution_id(execution_id, path)
    await bench.decisions.submit(principal, step_execution_id, choice, None)


async def pause(bench: Bench, execution_id: str) -> None:
    """Ask to hold the execution."""
    await bench.control.pause(bench.workspace_id, execution_id)


async def resume(bench: Bench, execution_id: str) -> None:
    """Let the execution go on."""
    await bench.control.resume(bench.workspace_id, execution_id)


async def cancel(bench: Bench, execution_id: str) -> None:
    """Cancel the execution."""
    await bench.control.cancel(bench.workspace_id, execution_id, None)
