"""Counts the rows of every table, to prove that something stored nothing."""

from __future__ import annotations

from promptpilot.models.database import Database

_NAMES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgres": "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
}


async def counts(database: Database) -> dict[str, int]:
    """Return how many rows each table has."""
    rows = await database.fetch(_NAMES[database.dialect])
    return {row["name"]: await _count(database, row["name"]) for row in rows}


async def _count(database: Database, table: str) -> int:
    (row,) = await database.fetch(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 -- ours
    return int(row["n"])
