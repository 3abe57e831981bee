"""What every test can ask for: a database on SQLite and on PostgreSQL, and a Redis.

One PostgreSQL serves a whole test run: the controller of parallel runs starts it, a run without
workers starts it when the first test asks. It is stopped at the end of the run, also by Ctrl-C,
and the system kills it should the test runner die.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptpilot.models.database import Database, connect
from tests.support import database as databases
from tests.support import postgres
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.spare_databases import SpareDatabases

_SERVER = pytest.StashKey[PostgresServer]()


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL in the controller of a parallel run, once for all of its workers."""
    is_parallel = config.getoption("dist", "no") != "no"
    is_worker = hasattr(config, "workerinput")
    if is_parallel and not is_worker and not config.getoption("collectonly"):
        config.stash[_SERVER] = PostgresServer.create()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker where the server is."""
    node.workerinput["postgres_url"] = node.config.stash[_SERVER].url()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started for this run."""
    if server := config.stash.get(_SERVER, None):
        server.remove()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, the one loop that the product runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server_url(pytestconfig: pytest.Config) -> str:
    """Give the URL of the PostgreSQL server that all tests share; never stop it in a test."""
    workerinput: dict[str, Any] = getattr(pytestconfig, "workerinput", {})
    if "postgres_url" in workerinput:
        return str(workerinput["postgres_url"])
    if _SERVER not in pytestconfig.stash:
        pytestconfig.stash[_SERVER] = PostgresServer.create()
    return pytestconfig.stash[_SERVER].url()


@pytest.fixture(scope="session")
def spare_databases(postgres_server_url: str) -> SpareDatabases:
    """Give the PostgreSQL databases that the tests of this process use in turn."""
    return SpareDatabases(postgres_server_url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated SQLite file to copy."""
    return databases.make_sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a database without tables, on SQLite and again on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path / 'empty.db'}"
        return
    server_url, name = request.getfixturevalue("postgres_server_url"), f"e{uuid.uuid4().hex}"
    yield postgres.create_empty(server_url, name)
    postgres.drop(server_url, name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a migrated database of this test, on SQLite and again on PostgreSQL."""
    if request.param == "sqlite":
        yield databases.copy_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
        return
    spare: SpareDatabases = request.getfixturevalue("spare_databases")
    name, fingerprint = spare.take()
    yield spare.url(name)
    spare.give_back(name, fingerprint)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give the open database of this test, on a migrated schema."""
    opened = await connect(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Give an empty Redis of this test, which it may stop, kill and restart."""
    server = RedisServer.create()
    yield server
    server.remove()
