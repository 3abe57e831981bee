"""Applies migrations to a SQLite file, alone, with foreign keys off and checked afterwards."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from promptpilot.clock import SystemClock, to_ms
from promptpilot.errors import InvariantBroken, Misconfigured, Unavailable
from promptpilot.models.migration import RECORDS_TABLE, Migration, outstanding

_LOCK_SECONDS = 60.0
_POLL_SECONDS = 0.05
_BUSY_SECONDS = 15.0
_NAMED_VIOLATIONS = 10


def applied_on_sqlite(path: Path) -> dict[int, str]:
    """Return the checksum of each applied number; never creates the file."""
    if not path.exists():
        return {}
    with closing(_open(path)) as connection:
        return _applied(connection)


def apply_on_sqlite(path: Path, known: Sequence[Migration]) -> list[str]:
    """Apply what is outstanding and return the titles.

    Blocks for up to 60 s while another process migrates, then raises Unavailable. Raises
    Misconfigured when a migration would break a foreign key; it is then undone.
    """
    if not path.parent.is_dir():
        raise Misconfigured([f"DATABASE_URL: the folder {path.parent} does not exist. Create it."])
    with _alone(path), closing(_open(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(RECORDS_TABLE)
        todo = outstanding(known, _applied(connection))
        for migration in todo:
            _apply(connection, migration)
        return [migration.title for migration in todo]


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    try:
        _run(connection, migration)
        connection.execute(
            "INSERT INTO schema_migration VALUES (?, ?, ?, ?)",
            (migration.number, migration.name, migration.sha256, to_ms(SystemClock().now())),
        )
        _check_foreign_keys(connection, migration)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _run(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.executescript("BEGIN IMMEDIATE;\n" + migration.sql)
    if not connection.in_transaction:
        raise InvariantBroken(f"migration {migration.title} ends its transaction itself")


def _check_foreign_keys(connection: sqlite3.Connection, migration: Migration) -> None:
    violations = connection.execute("PRAGMA foreign_key_check").fetchmany(_NAMED_VIOLATIONS)
    if violations:
        raise Misconfigured(
            [
                f"DATABASE_URL: migration {migration.title} was undone, because row {rowid} of "
                f"{table} would refer to a row of {parent} that does not exist."
                for table, rowid, parent, _ in violations
            ]
        )


def _applied(connection: sqlite3.Connection) -> dict[int, str]:
    exists = "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'"
    if connection.execute(exists).fetchone() is None:
        return {}
    return dict(connection.execute("SELECT number, sha256 FROM schema_migration"))


def _open(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise Misconfigured([f"DATABASE_URL: {path} cannot be opened: {error}"]) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file beside the database; the system frees it when the process ends."""
    give_up_at = time.monotonic() + _LOCK_SECONDS
    with path.with_name(path.name + ".migrate.lock").open("w") as lock:
        while not _is_locked_by_us(lock.fileno()):
            if time.monotonic() > give_up_at:
                raise Unavailable("Another process has been migrating the database for a minute.")
            time.sleep(_POLL_SECONDS)
        yield


def _is_locked_by_us(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
