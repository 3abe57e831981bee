"""Applies migrations to a PostgreSQL database, alone, on a session of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from promptpilot.clock import SystemClock, to_ms
from promptpilot.errors import InvariantBroken, Unavailable
from promptpilot.models.migration import RECORDS_TABLE, Migration, outstanding

#: Any number that no other program takes: the ASCII letters of "PPmigrat".
_LOCK_KEY = 0x50506D6967726174
_CONNECT_SECONDS = 10
_LOCK_SECONDS = 60

_UNREACHABLE = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)


async def applied_on_postgres(options: Mapping[str, Any]) -> dict[int, str]:
    """Return the checksum of each applied number; changes nothing."""
    async with _session(options) as connection:
        return await _applied(connection)


async def apply_on_postgres(options: Mapping[str, Any], known: Sequence[Migration]) -> list[str]:
    """Apply what is outstanding and return the titles.

    Waits for up to 60 s while another process migrates, then raises Unavailable.
    """
    async with _session(options) as connection:
        await _lock(connection)
        await connection.execute(RECORDS_TABLE)
        todo = outstanding(known, await _applied(connection))
        for migration in todo:
            await _apply(connection, migration)
        return [migration.title for migration in todo]


async def _apply(connection: asyncpg.Connection[Any], migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        if not connection.is_in_transaction():
            raise InvariantBroken(f"migration {migration.title} ends its transaction itself")
        await connection.execute(
            "INSERT INTO schema_migration VALUES ($1, $2, $3, $4)",
            migration.number,
            migration.name,
            migration.sha256,
            to_ms(SystemClock().now()),
        )


async def _lock(connection: asyncpg.Connection[Any]) -> None:
    """Take the session's lock, which the server frees when the session ends."""
    await connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
    except asyncpg.LockNotAvailableError as error:
        raise Unavailable(
            "Another process has been migrating the database for a minute."
        ) from error


async def _applied(connection: asyncpg.Connection[Any]) -> dict[int, str]:
    if await connection.fetchval("SELECT to_regclass('schema_migration')") is None:
        return {}
    rows = await connection.fetch("SELECT number, sha256 FROM schema_migration")
    return {row["number"]: row["sha256"] for row in rows}


@asynccontextmanager
async def _session(options: Mapping[str, Any]) -> AsyncIterator[asyncpg.Connection[Any]]:
    try:
        connection = await asyncpg.connect(**options, timeout=_CONNECT_SECONDS)
    except _UNREACHABLE as error:
        raise Unavailable(f"The database does not answer: {error}") from error
    try:
        yield connection
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)
