"""What the database tests run in processes of their own: `python -m tests.models.processes …`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from promptpilot.models.database import Database, Dialect, connect
from promptpilot.models.migrate import migrate

_ROOT = Path(__file__).parents[2]
_LIMIT_SECONDS = 60

#: SQLite has taken the lock already, when the transaction began.
_READ_TO_WRITE = {
    Dialect.SQLITE: "SELECT n FROM counter WHERE id = 1",
    Dialect.POSTGRES: "SELECT n FROM counter WHERE id = 1 FOR UPDATE",
}


def start(verb: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process; its output is what the verb prints."""
    command = [sys.executable, "-m", "tests.models.processes", verb, *arguments]
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)


def finish(child: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a process and return its exit code and its output."""
    output, _ = child.communicate(timeout=_LIMIT_SECONDS)
    return child.returncode, output.strip()


async def _count_up(url: str, times: str) -> None:
    """Read a number and write it back one higher, each time in a transaction."""
    database = await connect(url)
    try:
        for _ in range(int(times)):
            await _count_up_once(database)
    finally:
        await database.close()


async def _count_up_once(database: Database) -> None:
    async with database.transaction():
        rows = await database.fetch(_READ_TO_WRITE[database.dialect])
        await database.execute("UPDATE counter SET n = $1 WHERE id = 1", rows[0]["n"] + 1)


async def _migrate(url: str, folder: str) -> None:
    print(len(await migrate(url, Path(folder))))  # noqa: T201 - read by the test


_VERBS = {"count_up": _count_up, "migrate": _migrate}

if __name__ == "__main__":
    asyncio.run(_VERBS[sys.argv[1]](*sys.argv[2:]))
