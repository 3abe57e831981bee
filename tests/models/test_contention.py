"""Several processes write to one database and none of their writes is lost."""

from __future__ import annotations

from promptpilot.models.database import Database
from tests.models import processes


async def test_read_then_write_from_four_processes_loses_nothing(database: Database) -> None:
    await database.execute("CREATE TABLE counter (id INTEGER PRIMARY KEY, n BIGINT)")
    await database.execute("INSERT INTO counter VALUES (1, 0)")

    children = [processes.start("count_up", database.url, "100") for _ in range(4)]
    ends = [processes.finish(child) for child in children]

    assert ends == [(0, "")] * 4
    assert await database.fetch("SELECT n FROM counter") == [{"n": 400}]
