"""Everything about each execution: its rows, and what its steps did to the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from promptpilot.clock import to_ms
from promptpilot.engine import reasons
from promptpilot.models import Decision, Execution, ExecutionEvent, StepAttempt, StepExecution
from tests.support.effects import Effect
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation

#: PostgreSQL rounds its clock to milliseconds, which may be up to this late.
ROUNDING_MS = 1

_CUT_OFF = {reasons.WORKER_LOST, reasons.WORKER_STOPPED}
_UNKNOWN = 0


@dataclass
class History:
    """Everything about one execution."""

    row: Execution
    steps: list[StepExecution] = field(default_factory=list)
    attempts: list[StepAttempt] = field(default_factory=list)
    events: list[ExecutionEvent] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    def starts(self, path: str) -> list[tuple[int, int]]:
        """Return when each attempt at a step began, in milliseconds, with its number."""
        made = [(to_ms(a.started_at), a.number) for a in self.attempts if a.path == path]
        last = [s for s in self.steps if s.path == path and s.attempt_started_at]
        made += [(to_ms(s.attempt_started_at), s.attempt) for s in last if s.attempt_started_at]
        return made

    def effects_at(self, path: str) -> list[Effect]:
        """Return what a step did, in the order of its attempts."""
        found = [effect for effect in self.effects if effect.path == path]
        return sorted(found, key=lambda effect: effect.attempt)

    @property
    def cut_off(self) -> set[tuple[str, int]]:
        """Return the attempts whose worker was lost or stopped, each with its step."""
        lost = [each for each in self.attempts if (each.error or {}).get("code") in _CUT_OFF]
        return {(each.path, each.number) for each in lost}

    @property
    def repeats(self) -> int:
        """Return how many effects repeat one that had happened when its worker was lost."""
        paths = {effect.path for effect in self.effects}
        pairs = [pair for path in paths for pair in pairwise(self.effects_at(path))]
        return sum((before.path, before.attempt) in self.cut_off for before, _ in pairs)


async def read_histories(effects: Sequence[Effect]) -> dict[str, History]:
    """Return what is stored and what was done, by execution."""
    histories = {row.id: History(row) for row in await Execution.all()}
    for step in await StepExecution.all().order_by("position"):
        histories[step.execution_id].steps.append(step)
    for attempt in await StepAttempt.all().order_by("number"):
        histories[attempt.execution_id].attempts.append(attempt)
    for event in await ExecutionEvent.all().order_by("seq"):
        histories[event.execution_id].events.append(event)
    for decision in await Decision.all():
        histories[decision.execution_id].decisions.append(decision)
    for effect in effects:
        if effect.execution_id in histories:
            history = histories[effect.execution_id]
            history.effects.append(_numbered(history, effect))
    return histories


def requests_as_effects(requests: Iterable[Mapping[str, Any]]) -> list[Effect]:
    """Return the requests of WEBHOOK steps whose URLs end in their execution and their path."""
    return [_effect(request) for request in requests]


def all_effects(installation: Installation, receiver: HostileProcess) -> list[Effect]:
    """Return what PROMPT and WEBHOOK steps did."""
    return [*installation.effects(), *requests_as_effects(receiver.requests())]


async def interrupted(effects: Sequence[Effect]) -> int:
    """Count the effects that were repeated because a worker was lost, or given up lest they are."""
    histories = (await read_histories(effects)).values()
    failures = [step for each in histories for step in each.steps if step.error]
    given_up = [step for step in failures if (step.error or {})["code"] in _CUT_OFF]
    return len(given_up) + sum(each.repeats for each in histories)


def _effect(request: Mapping[str, Any]) -> Effect:
    *_, execution_id, path = request["path"].split("/")
    key = request["headers"]["idempotency-key"]
    return Effect("begin", execution_id, path, _UNKNOWN, key, 0, request["at"])


def _numbered(history: History, effect: Effect) -> Effect:
    """Return the effect with its attempt: the newest that had begun; requests do not tell it."""
    if effect.attempt != _UNKNOWN:
        return effect
    begun = [each for each in history.starts(effect.path) if each[0] <= effect.at + ROUNDING_MS]
    return replace(effect, attempt=max(begun, default=(0, _UNKNOWN))[1])
