"""Proves for how long a DELAY waits, and that it says the same after its wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.definition import Step
from promptpilot.engine.expression.moment import moment_text
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.engine.step_configs import DelayConfig
from promptpilot.engine.steps.base import Done, Waiting
from promptpilot.engine.steps.delay import DelayStep
from promptpilot.errors import StepFailed
from promptpilot.instants import instant_text
from tests.support.clock import BEGINNING
from tests.support.contexts import context

UNTIL = Step("a", DelayConfig(until="input.at", reason="Let it rest."))


def shown(until: datetime, reason: str | None = "Let it rest.") -> dict[str, Any]:
    """Make what readers see of a delay."""
    return {"until": instant_text(until), "reason": reason}


@given(st.integers(1, 31_536_000))
async def test_a_duration_counts_from_the_beginning_of_the_attempt(seconds: int) -> None:
    until = BEGINNING + timedelta(seconds=seconds)

    result = await DelayStep().run(context(Step("a", DelayConfig(seconds))))

    assert result == Waiting(WaitReason.DELAY, until, input=shown(until, None))


@pytest.mark.parametrize("ahead", [timedelta(milliseconds=1), timedelta(days=365)])
@pytest.mark.parametrize("write", [moment_text, datetime.timestamp], ids=["text", "seconds"])
async def test_an_expression_yields_the_instant(ahead: timedelta, write: Any) -> None:
    until = BEGINNING + ahead

    result = await DelayStep().run(context(UNTIL, at=write(until)))

    assert isinstance(result, Waiting)
    assert result.until == until
    assert result.input == shown(until)


async def test_an_offset_is_taken_into_account() -> None:
    result = await DelayStep().run(context(UNTIL, at="2026-09-02T01:00:00+02:00"))

    assert isinstance(result, Waiting)
    assert result.until == datetime(2026, 9, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", 0, -1.5, BEGINNING.timestamp()])
async def test_a_time_that_has_passed_is_not_waited_for(at: Any) -> None:
    result = await DelayStep().run(context(UNTIL, at=at))

    assert isinstance(result, Done)
    assert result.output == result.input
    assert result.output["reason"] == "Let it rest."


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("tomorrow", "write it like"),
        ("2026-09-01T12:00:00", "write it like"),
        ("2026-02-30T12:00:00Z", "is not a time"),
        (True, "a bool"),
        (None, "null"),
        ([1], "a list"),
        (2**63 - 1, "no calendar"),
        (1e300, "no calendar"),
        (BEGINNING.timestamp() + 365 * 86_400 + 1, "more than 365 days ahead"),
        ("9999-12-31T23:59:59Z", "more than 365 days ahead"),
    ],
)
async def test_what_is_no_instant_within_a_year_fails_for_good(at: Any, told: str) -> None:
    with pytest.raises(StepFailed, match=told) as failure:
        await DelayStep().run(context(UNTIL, at=at))

    assert failure.value.error_code == "DELAY_INVALID"
    assert not failure.value.is_retryable


async def test_an_expression_that_fails_fails_the_step() -> None:
    with pytest.raises(StepFailed) as failure:
        await DelayStep().run(context(UNTIL))

    assert failure.value.error_code == "EXPRESSION_ERROR"


async def test_the_expression_reads_the_steps_own_inputs() -> None:
    step = replace(UNTIL, config=DelayConfig(until="vars.i"), inputs={"i": "input.n + 1"})

    result = await DelayStep().run(context(step, n=BEGINNING.timestamp()))

    assert isinstance(result, Waiting)
    assert result.until == BEGINNING + timedelta(seconds=1)


@pytest.mark.parametrize("config", [DelayConfig(60, reason="r"), DelayConfig(until="now() + ''")])
async def test_after_its_wait_a_delay_says_what_it_waited_for(config: DelayConfig) -> None:
    beginning = context(Step("a", config))
    result = await DelayStep().run(beginning)

    done = DelayStep().resume(beginning, None)

    assert done.output == done.input == result.input
