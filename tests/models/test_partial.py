"""Proves that a row lacks the columns that were left out, and those alone."""

from __future__ import annotations

import pytest

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.models import Firing
from promptpilot.models.database import Database
from promptpilot.models.partial import NOTHING, without


async def _stored() -> str:
    row = await Firing.create(
        id=ids.new_id(ids.Kind.FIRING),
        workspace_id="ws",
        trigger_id="tr",
        trigger_type="MANUAL",
        outcome="STARTED",
        execution_id=ids.new_id(ids.Kind.EXECUTION),
        payload={"some": "value"},
        created_at=from_ms(1),
    )
    return row.id


async def test_what_is_left_out_cannot_be_read(database: Database) -> None:
    row_id = await _stored()

    (row,) = await without(Firing.filter(id=row_id), frozenset({"payload"}))

    assert (row.outcome, row.created_at) == ("STARTED", from_ms(1))
    with pytest.raises(AttributeError):
        _ = row.payload


@pytest.mark.parametrize("left_out", [NOTHING, frozenset({"of_another_table"})])
async def test_nothing_else_is_left_out(database: Database, left_out: frozenset[str]) -> None:
    row_id = await _stored()

    (row,) = await without(Firing.filter(id=row_id), left_out)

    assert row.payload == {"some": "value"}
