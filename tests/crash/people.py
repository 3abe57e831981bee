"""People who interfere with executions at random while processes are killed."""

from __future__ import annotations

import random
from contextlib import suppress

from promptpilot.clock import SystemClock
from promptpilot.engine.control import Control
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.engine.principal import Principal
from promptpilot.errors import InvalidStatus
from promptpilot.models import Execution
from promptpilot.models.database import Database


class People:
    """Pause, resume and cancel through the engine; the same seed makes the same choices."""

    def __init__(self, database: Database, principal: Principal, seed: int) -> None:
        self._control = Control(database, SystemClock())
        self._workspace_id = principal.workspace_id
        self._chance = random.Random(seed)  # noqa: S311 -- it has to repeat itself
        self.cancelled: set[str] = set()
        self.paused: set[str] = set()

    async def interfere(self, count: int) -> None:
        """Pause, resume or cancel so many unfinished executions, picked at random."""
        unfinished = await Execution.filter(finished_at=None).order_by("id")
        for row in self._chance.sample(unfinished, min(count, len(unfinished))):
            with suppress(InvalidStatus):  # it may have ended meanwhile
                await self._do_something(row.id)

    async def resume_all(self) -> bool:
        """Resume whatever is or will be paused; tell whether anything was."""
        held = await Execution.filter(finished_at=None).exclude(pause_requested_at=None)
        for row in held:
            with suppress(InvalidStatus):
                await self._control.resume(self._workspace_id, row.id)
        return bool(held)

    async def _do_something(self, execution_id: str) -> None:
        place = (self._workspace_id, execution_id)
        match self._chance.choice(("pause", "resume", "cancel")):
            case "pause":
                await self._control.pause(*place)
                self.paused.add(execution_id)
            case "resume":
                await self._control.resume(*place)
            case _:
                await self._control.cancel(*place, "At random")
                self.cancelled.add(execution_id)


async def ended_as(status: ExecutionStatus) -> set[str]:
    """Return the executions that ended with a status."""
    rows = await Execution.filter(status=status.value)
    return {row.id for row in rows}
