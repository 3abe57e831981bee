"""What was not delivered yet, of a whole endpoint: held, released, given up, asked for again.

Rules: call each verb in the transaction of the change that asks for it, after that change, so that
an endpoint cannot be switched on while its deliveries are put on hold. Time is the database's,
unless tests move a clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from promptpilot.clock import Clock, SystemClock, from_ms, to_ms
from promptpilot.models.address import Dialect
from promptpilot.models.columns import dump_json
from promptpilot.models.database import Database
from promptpilot.models.database_time import NOW_MS

#: What is being sent goes on.
_HOLD: Final = """
UPDATE webhook_deliveries SET ready_at = NULL, owner = NULL
WHERE endpoint_id = $1 AND ready_at IS NOT NULL AND (owner IS NULL OR ready_at <= $2)
"""
_RELEASE: Final = """
UPDATE webhook_deliveries SET ready_at = $2
WHERE endpoint_id = $1 AND status = 'PENDING' AND ready_at IS NULL
"""
_GIVE_UP: Final = """
UPDATE webhook_deliveries SET status = 'FAILED', ready_at = NULL, owner = NULL, finished_at = $2,
    error = $3
WHERE endpoint_id = $1 AND status = 'PENDING'
"""
#: What is being sent is due again when that has been recorded, or when its lease ends.
_AGAIN: Final = """
UPDATE webhook_deliveries SET
    status = 'PENDING', generation = generation + 1, tries = 0, error = NULL, finished_at = NULL,
    owner = CASE WHEN ready_at > $2 THEN owner END,
    ready_at = CASE WHEN owner IS NOT NULL AND ready_at > $2 THEN ready_at ELSE $2 END
WHERE id = $1
"""
_DELETED: Final = {
    "code": "ENDPOINT_DELETED",
    "message": "The endpoint was deleted before this was delivered.",
    "isRetryable": False,
    "details": {},
}


class Backlog:
    """The verbs of an endpoint's deliveries."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # Leases are compared by the clock of a shared database: another one could be ahead of it.
        is_shared = database.dialect is Dialect.POSTGRES and isinstance(clock, SystemClock)
        self._asks_time = f"SELECT {NOW_MS[database.dialect]} AS now" if is_shared else None

    async def now(self) -> datetime:
        """Return what time it is for deliveries."""
        return from_ms(await self.now_ms())

    async def now_ms(self) -> int:
        """Return the same in epoch milliseconds."""
        if self._asks_time is None:
            return to_ms(self._clock.now())
        return int((await self._database.fetch(self._asks_time))[0]["now"])

    async def hold(self, endpoint_id: str) -> None:
        """Let what is due wait until the endpoint is switched on."""
        await self._database.execute(_HOLD, endpoint_id, await self.now_ms())

    async def release(self, endpoint_id: str) -> None:
        """Let what waited be due at once."""
        await self._database.execute(_RELEASE, endpoint_id, await self.now_ms())

    async def give_up(self, endpoint_id: str) -> None:
        """Give up what was not delivered to an endpoint that is deleted."""
        error = dump_json(_DELETED)
        await self._database.execute(_GIVE_UP, endpoint_id, await self.now_ms(), error)

    async def again(self, delivery_id: str) -> None:
        """Make a delivery due at once; one that is being sent is sent once more afterwards."""
        await self._database.execute(_AGAIN, delivery_id, await self.now_ms())
