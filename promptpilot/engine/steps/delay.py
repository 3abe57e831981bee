"""DELAY: waits for a time or until an instant; no worker is held meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from promptpilot.engine.expression import parse
from promptpilot.engine.expression.values import described, is_number
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.engine.step_configs import DelayConfig
from promptpilot.engine.steps.base import (
    Answer,
    Done,
    StepContext,
    Waiting,
    resolve_inputs,
    scope_with,
)
from promptpilot.errors import StepFailed
from promptpilot.instants import instant_text, read_instant

LONGEST: Final = timedelta(days=365)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DelayStep:
    """Waits until an instant that is computed once, from when the attempt began."""

    async def run(self, context: StepContext) -> Done | Waiting:
        """Return the wait, or `Done` if its instant is not ahead. Raises `StepFailed`."""
        until = _until(context)
        if until <= context.now:
            return _done(context, until)
        return Waiting(WaitReason.DELAY, until, input=_shown(context, until))

    def resume(self, context: StepContext, answer: Answer | None) -> Done:
        """Return `{"until", "reason"}`; the instant is the one that `run` returned."""
        return _done(context, _until(context))


def _until(context: StepContext) -> datetime:
    config = context.step.config
    assert isinstance(config, DelayConfig)  # noqa: S101 -- the registry pairs them
    if config.until is None:
        return context.now + timedelta(seconds=config.duration_seconds or 0)
    scope = scope_with(context, resolve_inputs(context))
    instant = _instant(parse(config.until).evaluate(scope, context.now))
    if instant - context.now > LONGEST:
        raise _invalid(f"`until` is {instant_text(instant)}, more than {LONGEST.days} days ahead.")
    return instant


def _instant(value: Any) -> datetime:
    try:
        if isinstance(value, str):
            return read_instant(value)
        if is_number(value):
            return _EPOCH + timedelta(seconds=value)
    except ValueError as fault:
        raise _invalid(f"What `until` yields {fault}") from None
    except OverflowError:
        raise _invalid("`until` yields a number of seconds that no calendar has.") from None
    raise _invalid(
        f"`until` yields {described(value)}; it must yield a text like 2026-11-23T04:00:00Z or a "
        "number of seconds since 1970."
    )


def _invalid(message: str) -> StepFailed:
    return StepFailed(message, "DELAY_INVALID")


def _done(context: StepContext, until: datetime) -> Done:
    shown = _shown(context, until)
    return Done(shown, input=shown)


def _shown(context: StepContext, until: datetime) -> dict[str, Any]:
    config = context.step.config
    assert isinstance(config, DelayConfig)  # noqa: S101 -- the registry pairs them
    return {"until": instant_text(until), "reason": config.reason}
