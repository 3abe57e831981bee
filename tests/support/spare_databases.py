"""PostgreSQL databases that tests use one after the other: emptied in between, not made anew.

Making and dropping a database costs a quarter of a second each time, emptying one a few
milliseconds. A database whose schema a test has changed is dropped.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.support import postgres

#: Tables, columns, constraints, triggers and functions: what a test may have changed.
_FINGERPRINT = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
    SELECT c.oid || ':' || c.relname || ':' || c.relchecks AS part FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT a.attrelid || ':' || a.attname || a.attnotnull FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT t.oid || ':' || t.tgname FROM pg_trigger t WHERE NOT t.tgisinternal
    UNION ALL SELECT r.oid || ':' || r.rulename FROM pg_rewrite r
        JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT p.oid || ':' || p.proname FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
) AS parts
"""
_CUT_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
_KEPT = "schema_migration"


@dataclass
class SpareDatabases:
    """The databases of one test process that nobody uses at the moment."""

    server_url: str
    spare: list[tuple[str, str]] = field(default_factory=list)

    def take(self) -> tuple[str, str]:
        """Return (name, fingerprint) of an empty, migrated database."""
        if self.spare:
            return self.spare.pop()
        name = f"t{uuid.uuid4().hex}"
        url = postgres.clone_migrated(self.server_url, name)
        return name, postgres.run_apart(_fingerprint(url))

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return postgres.sibling(self.server_url, name)

    def give_back(self, name: str, fingerprint: str) -> None:
        """Cut every connection to a database and empty it; drop it if its schema has changed."""
        if postgres.run_apart(_empty(self.url(name))) == fingerprint:
            self.spare.append((name, fingerprint))
        else:
            postgres.drop(self.server_url, name)


async def _fingerprint(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval(_FINGERPRINT))
    finally:
        await connection.close()


async def _empty(url: str) -> str | None:
    """Delete every row; return the fingerprint, or None when it could not be emptied."""
    try:
        async with asyncio.timeout(10):
            connection = await asyncpg.connect(url)
            try:
                return await _empty_with(connection)
            finally:
                await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return None


async def _empty_with(connection: asyncpg.Connection[Any]) -> str:
    await connection.execute(_CUT_OTHERS)
    tables = [row["tablename"] for row in await connection.fetch(_TABLES)]
    emptied = [table for table in tables if not table.startswith(_KEPT)]
    deletes = [f'DELETE FROM "{table}"' for table in emptied]  # noqa: S608 -- names of our tables
    await connection.execute("; ".join(["SET session_replication_role = replica", *deletes]))
    return str(await connection.fetchval(_FINGERPRINT))
