"""Statements mean the same on both databases."""

from __future__ import annotations

from promptpilot.models.database import Database


async def test_a_statement_returns_its_rows(database: Database) -> None:
    rows = await database.fetch("SELECT $2 AS b, $1 AS a", "x", "y")

    assert rows == [{"b": "y", "a": "x"}]
