"""Executions that have ended, stored past the engine's runner."""

from __future__ import annotations

from typing import Any

from promptpilot.engine import ledger
from promptpilot.engine.commits import Committer
from promptpilot.engine.ledger_rows import AttemptMark, Ended
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.principal import Principal
from promptpilot.engine.scope import Outcome
from tests.support.ledgers import entry_of, opening, place


async def finished(committer: Committer, owner: Principal, output: dict[str, Any] | None) -> str:
    """Store an execution that completed with `output`, which its one step had as well.

    Without an output it was cancelled. Nothing else may be due. Return its id.
    """
    await committer.open(opening(workspace_id=owner.workspace_id))
    (claimed,) = await committer.claim("w1", 1, 15_000)
    entry = entry_of(claimed)
    mark = AttemptMark(1, claimed.now, claimed.now)
    entry.end_step(place(), mark, Ended(Outcome(StepStatus.COMPLETED, output=output)))
    if output is None:
        entry.cancel()
    else:
        entry.complete(output)
    await ledger.record(committer, entry)
    return claimed.id
