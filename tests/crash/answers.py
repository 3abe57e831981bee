"""Somebody who answers DECISION steps while processes are killed."""

from __future__ import annotations

from contextlib import suppress

from promptpilot import ids
from promptpilot.clock import SystemClock
from promptpilot.engine.decisions import Decisions
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import StepType
from promptpilot.errors import InvalidStatus
from promptpilot.models import StepExecution
from promptpilot.models.database import Database

#: What is chosen, by the last sign of the execution's id; None leaves it to the time-out.
_CHOICES = ("approve", "approve", "reject", None)


def choice_for(execution_id: str) -> str | None:
    """Return what is chosen for an execution, always the same; None if nobody answers."""
    return _CHOICES[ord(execution_id[-1]) % len(_CHOICES)]


class Answers:
    """Answers whatever waits, through the engine, each once."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._decisions = Decisions(database, SystemClock())
        self._principal = principal
        self._given: set[str] = set()

    async def give(self) -> None:
        """Answer the DECISION steps that wait and are not left to their time-out."""
        for step in await StepExecution.filter(
            status=StepStatus.WAITING.value, step_type=StepType.DECISION.value
        ):
            choice = choice_for(step.execution_id)
            if choice is not None and step.execution_id not in self._given:
                self._given.add(step.execution_id)
                await self._give(step, choice)

    async def _give(self, step: StepExecution, choice: str) -> None:
        step_id = ids.step_execution_id(step.execution_id, step.path)
        with suppress(InvalidStatus):  # its time may be up
            await self._decisions.submit(self._principal, step_id, choice, None)
