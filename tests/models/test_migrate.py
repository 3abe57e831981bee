"""Migrations are applied once each, whole or not at all, by however many processes at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from promptpilot.errors import InvariantBroken, Misconfigured
from promptpilot.models.database import Database, Dialect, connect
from promptpilot.models.migrate import migrate, pending
from tests.models import processes

_FAMILY = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY,
    parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1, 'p');
INSERT INTO child VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1);
"""
_REBUILT = """
CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO parent_new SELECT id, name FROM parent;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
"""
_ALTERED = "ALTER TABLE parent ALTER COLUMN name SET NOT NULL;"
_ORPHANED = "DELETE FROM parent WHERE id = 1;"
#: Each takes about a second, and stores something before and after it.
_SLOW_SQLITE = """
CREATE TABLE slow (n BIGINT);
INSERT INTO slow WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1500000)
SELECT n FROM c WHERE n % 1000 = 0;
INSERT INTO slow VALUES (0);
"""
_SLOW_POSTGRES = """
CREATE TABLE slow (n BIGINT);
INSERT INTO slow SELECT n FROM generate_series(1, 1500) AS n;
SELECT pg_sleep(1);
INSERT INTO slow VALUES (0);
"""


def _write(folder: Path, name: str, sqlite: str, postgres: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sqlite.sql").write_text(sqlite)
    (folder / f"{name}.postgres.sql").write_text(sqlite if postgres is None else postgres)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of migrations whose first makes a parent row with five children."""
    _write(tmp_path / "migrations", "0001_family", _FAMILY)
    return tmp_path / "migrations"


async def _fetch(url: str, sql: str) -> list[dict[str, object]]:
    database = await connect(url)
    try:
        return await database.fetch(sql)
    finally:
        await database.close()


async def test_what_is_pending_is_applied_once(empty_database_url: str, folder: Path) -> None:
    before = await pending(empty_database_url, folder)
    first = await migrate(empty_database_url, folder)
    second = await migrate(empty_database_url, folder)
    after = await pending(empty_database_url, folder)

    assert (before, first) == (["0001_family"], ["0001_family"])
    assert (second, after) == ([], [])


async def test_rebuilding_a_parent_table_keeps_its_children(
    empty_database_url: str, folder: Path
) -> None:
    await migrate(empty_database_url, folder)
    _write(folder, "0002_name_is_required", _REBUILT, _ALTERED)

    applied = await migrate(empty_database_url, folder)

    assert applied == ["0002_name_is_required"]
    children = await _fetch(empty_database_url, "SELECT count(*) AS n FROM child")
    assert children == [{"n": 5}]


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
async def test_a_migration_that_breaks_a_foreign_key_is_undone(
    empty_database_url: str, folder: Path
) -> None:
    _write(folder, "0002_orphans", _ORPHANED)

    with pytest.raises(Misconfigured, match=r"0002_orphans was undone.*child"):
        await migrate(empty_database_url, folder)

    assert await _fetch(empty_database_url, "SELECT id FROM parent") == [{"id": 1}]
    assert await pending(empty_database_url, folder) == ["0002_orphans"]


async def test_a_broken_migration_leaves_nothing_behind(
    empty_database_url: str, folder: Path
) -> None:
    _write(folder, "0002_broken", "CREATE TABLE half (id INTEGER); SELECT * FROM missing;")

    with pytest.raises(Exception, match="missing"):
        await migrate(empty_database_url, folder)

    _write(folder, "0002_broken", "CREATE TABLE half (id INTEGER);")
    assert await migrate(empty_database_url, folder) == ["0002_broken"]


async def test_an_edited_migration_is_refused(empty_database_url: str, folder: Path) -> None:
    await migrate(empty_database_url, folder)
    _write(folder, "0001_family", _FAMILY + "-- edited")

    with pytest.raises(Misconfigured, match="0001_family was applied with another content"):
        await migrate(empty_database_url, folder)
    with pytest.raises(Misconfigured, match="0001_family"):
        await pending(empty_database_url, folder)


async def test_a_database_of_a_newer_program_is_refused(
    empty_database_url: str, folder: Path, tmp_path: Path
) -> None:
    _write(folder, "0002_future", "CREATE TABLE future (id INTEGER);")
    await migrate(empty_database_url, folder)
    _write(tmp_path / "older", "0001_family", _FAMILY)

    with pytest.raises(Misconfigured, match="migration 0002, which this program does not know"):
        await migrate(empty_database_url, tmp_path / "older")


async def test_a_gap_in_the_numbers_is_a_bug(empty_database_url: str, folder: Path) -> None:
    _write(folder, "0003_skipped_a_number", "SELECT 1;")

    with pytest.raises(InvariantBroken, match="not numbered"):
        await migrate(empty_database_url, folder)


async def test_a_migration_may_not_end_its_transaction(
    empty_database_url: str, folder: Path
) -> None:
    _write(folder, "0002_commits", "CREATE TABLE early (id INTEGER); COMMIT;")

    with pytest.raises(InvariantBroken, match="0002_commits ends its transaction itself"):
        await migrate(empty_database_url, folder)

    assert await pending(empty_database_url, folder) == ["0002_commits"]


async def test_four_processes_at_once_apply_each_migration_once(
    empty_database_url: str, folder: Path
) -> None:
    _write(folder, "0002_slow", _SLOW_SQLITE, _SLOW_POSTGRES)

    children = [processes.start("migrate", empty_database_url, str(folder)) for _ in range(4)]
    ends = [processes.finish(child) for child in children]

    assert sorted(ends) == [(0, "0"), (0, "0"), (0, "0"), (0, "2")]


async def test_a_killed_migration_can_be_started_again(
    empty_database_url: str, folder: Path
) -> None:
    await migrate(empty_database_url, folder)
    _write(folder, "0002_slow", _SLOW_SQLITE, _SLOW_POSTGRES)

    with processes.start("migrate", empty_database_url, str(folder)) as child:
        await _until_it_writes(empty_database_url)
        child.kill()

    assert await pending(empty_database_url, folder) == ["0002_slow"]
    assert await migrate(empty_database_url, folder) == ["0002_slow"]
    assert await _fetch(empty_database_url, "SELECT count(*) AS n FROM slow") == [{"n": 1501}]


async def _until_it_writes(url: str) -> None:
    """Return when another process is in the midst of a migration."""
    database = await connect(url)
    try:
        with anyio.fail_after(30):
            while not await _is_being_written(database):
                await anyio.lowlevel.checkpoint()
    finally:
        await database.close()


async def _is_being_written(database: Database) -> bool:
    if database.dialect is Dialect.SQLITE:
        return _is_locked(database.address.path)
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    return bool(await database.fetch(sleeping))


def _is_locked(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False
