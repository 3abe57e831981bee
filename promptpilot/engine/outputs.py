"""Reads whole outputs for those who own them, whether they are kept in their row or aside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.errors import NotFound
from promptpilot.models.database import Database

# A row whose output is kept aside has a preview, which must never pass for the output.
_OF_EXECUTION = """
SELECT CASE WHEN e.output_bytes IS NULL THEN CAST(e.output AS TEXT) ELSE l.body END AS body,
    l.sha256
FROM executions e
LEFT JOIN large_outputs l ON l.execution_id = e.id AND l.path = '$'
WHERE e.id = $1 AND e.workspace_id = $2
"""
_OF_STEP = """
SELECT CASE WHEN s.output_bytes IS NULL THEN CAST(s.output AS TEXT) ELSE l.body END AS body,
    l.sha256
FROM executions e
JOIN step_executions s ON s.execution_id = e.id AND s.path = $3
LEFT JOIN large_outputs l ON l.execution_id = e.id AND l.path = s.path
WHERE e.id = $1 AND e.workspace_id = $2
"""


@dataclass(frozen=True, slots=True)
class WholeOutput:
    """An output as it was stored: its JSON in UTF-8, and the SHA-256 of that in hexadecimal."""

    body: bytes
    sha256: str


async def execution_output(database: Database, principal: Principal, id: str) -> WholeOutput:
    """Return an execution's own output.

    Raises NotFound alike for an id that is malformed, unknown or another's, and when there is no
    output, or none yet.
    """
    if not ids.is_id(id, ids.Kind.EXECUTION):
        raise _missing(id)
    return _whole(id, await database.fetch(_OF_EXECUTION, id, principal.workspace_id))


async def step_output(
    database: Database, principal: Principal, execution_id: str, path: str
) -> WholeOutput:
    """Return the output of the step at `path`. Raises NotFound as `execution_output` does."""
    step_id = ids.step_execution_id(execution_id, path)
    if ids.split_step_execution_id(step_id) != (execution_id, path):
        raise _missing(step_id)
    rows = await database.fetch(_OF_STEP, execution_id, principal.workspace_id, path)
    return _whole(step_id, rows)


def _whole(id: str, rows: list[dict[str, Any]]) -> WholeOutput:
    text = rows[0]["body"] if rows else None
    if text is None:
        raise _missing(id)
    body = text.encode()
    return WholeOutput(body, rows[0]["sha256"] or hashlib.sha256(body).hexdigest())


def _missing(id: str) -> NotFound:
    return NotFound("There is no output here, or none yet.", id)
