"""The connection to the database: opened once per process, closed by whoever opened it.

Rules:
- One `Database` is open per process at a time; every task and request of the process sees it.
- A transaction holds nothing but the database: never await a provider, a queue or a client in it.
- Never create a task inside a transaction.
- `retry` goes around a whole transaction, never inside one.

After a crash: nothing to do; what was not committed is gone, what was committed is there.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

import asyncpg
from tortoise.backends.base.client import (
    BaseDBAsyncClient,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.context import TortoiseContext
from tortoise.exceptions import DBConnectionError, OperationalError

from promptpilot.errors import Misconfigured, Unavailable
from promptpilot.models.address import Address, Dialect, parse_url
from promptpilot.models.sqlite_backend import SafeSqliteClient

__all__ = ["Database", "Dialect", "connect", "is_transient"]

T = TypeVar("T")

_APP = "models"
_MODELS = ("promptpilot.models",)
_BACKENDS = {
    Dialect.SQLITE: "promptpilot.models.sqlite_backend",
    Dialect.POSTGRES: "promptpilot.models.postgres_backend",
}
_SYNCHRONOUS = frozenset({"NORMAL", "FULL"})
_CONNECT_SECONDS = 10
_COMMAND_SECONDS = 30

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_RETRY_SECONDS = 15.0

_POSTGRES_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server is shutting down or starting up
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalClientError,  # the first query after a restart of the server
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.InvalidCachedStatementError,
    DBConnectionError,
    OSError,
)
#: What may mean that work was cut off; `is_transient` looks closer.
_CUT_OFF = (
    *_POSTGRES_TRANSIENT,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OperationalError,
    sqlite3.OperationalError,
)
_HOPELESS_SQLITE = re.compile(
    r"disk is full|readonly database|disk I/O|unable to open", re.IGNORECASE
)


class Database:
    """An open database. Take one from `connect`, and close it."""

    def __init__(self, url: str, address: Address, context: TortoiseContext) -> None:
        self.url = url
        self.address = address
        self._context = context

    @property
    def dialect(self) -> Dialect:
        """Say which SQL the database speaks."""
        return self.address.dialect

    @property
    def write_lock(self) -> asyncio.Lock:
        """The process's turn to write to a SQLite file; transactions hold it.

        Another connection of this process that writes takes it too, so that nobody has to poll
        for the file's own lock. PostgreSQL has none: AttributeError.
        """
        return cast("SafeSqliteClient", self._outermost).write_lock

    @property
    def is_in_transaction(self) -> bool:
        """Say whether the current task is inside a transaction."""
        return isinstance(self._connection, TransactionalDBClient)

    def transaction(self) -> TransactionContext:
        """Return a context manager that commits at its end and undoes everything on an error.

        Inside another transaction it is a savepoint.
        """
        return self._connection._in_transaction()  # noqa: SLF001 - what in_transaction() calls

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a statement, which may write (`UPDATE … RETURNING`).

        Parameters are `$1`, `$2`, … on both databases. JSON columns come as text.
        """
        return await self._connection.execute_query_dict(self._spoken(sql), list(values))

    async def execute(self, sql: str, *values: Any) -> int:
        """Execute a statement and return how many rows it changed.

        SQLite counts rows that a DELETE removes by cascade as well.
        """
        return (await self._connection.execute_query(self._spoken(sql), list(values)))[0]

    async def retry(
        self, work: Callable[[], Awaitable[T]], *, for_seconds: float = _RETRY_SECONDS
    ) -> T:
        """Call the work, which opens its own transaction, until it is not cut off.

        Repeats after lost connections, deadlocks and locked files, for about 15 seconds unless
        told otherwise, then raises Unavailable. A COMMIT whose answer was lost may have happened:
        the work must bear being done twice (fences and unique keys see to that).
        """
        if self.is_in_transaction:
            return await work()
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + for_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await work()
            except _CUT_OFF as error:
                if not is_transient(error):
                    raise
                if clock() + pause > give_up_at or _is_hopeless(error):
                    raise Unavailable("The database does not answer. Try again.") from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """Close every connection; may be called twice."""
        with self._context:
            await self._context.close_connections()

    @property
    def _connection(self) -> BaseDBAsyncClient:
        """The pool, or the transaction that the current task is in."""
        return self._context.connections.get(self.dialect)

    @property
    def _outermost(self) -> BaseDBAsyncClient:
        connection = self._connection
        while isinstance(connection, TransactionalDBClient):
            connection = connection._parent  # noqa: SLF001 - the only way out of a transaction
        return connection

    def _spoken(self, sql: str) -> str:
        return _with_question_marks(sql) if self.dialect is Dialect.SQLITE else sql


async def connect(url: str, *, pool_size: int = 8, synchronous: str = "NORMAL") -> Database:
    """Open the database and make it the one that the tables of this process live in.

    `synchronous` is SQLite's: NORMAL survives the end of the process, FULL a power cut as well.
    Raises Misconfigured for a wrong URL and Unavailable when the database does not answer; then
    nothing is left open.
    """
    address = parse_url(url)
    context = TortoiseContext()
    with context:
        await context.init(
            config={
                "connections": {address.dialect.value: _backend(address, pool_size, synchronous)},
                "apps": {
                    _APP: {"models": list(_MODELS), "default_connection": address.dialect.value}
                },
            },
            _enable_global_fallback=True,
        )
    database = Database(url, address, context)
    try:
        await database.fetch("SELECT 1")
    except BaseException as error:
        await database.close()
        if is_transient(error):
            raise Unavailable(f"The database does not answer: {error}") from error
        raise
    return database


def _backend(address: Address, pool_size: int, synchronous: str) -> dict[str, Any]:
    if synchronous not in _SYNCHRONOUS:
        raise Misconfigured([f"SQLITE_SYNCHRONOUS is {synchronous!r}; use NORMAL or FULL"])
    if address.dialect is Dialect.SQLITE:
        credentials: dict[str, Any] = {"file_path": str(address.path), "synchronous": synchronous}
    else:
        credentials = {
            **address.options,
            "minsize": 1,
            "maxsize": pool_size,
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _COMMAND_SECONDS,
            "server_settings": {"application_name": "promptpilot", "jit": "off"},
        }
    return {"engine": _BACKENDS[address.dialect], "credentials": credentials}


def is_transient(error: BaseException) -> bool:
    """Say whether the same transaction may succeed if it is tried again."""
    if isinstance(error, OperationalError | sqlite3.OperationalError):
        return "is locked" in str(error) or _is_hopeless(error)
    if isinstance(error, asyncpg.InterfaceError):  # its ValueErrors are wrong arguments
        return not isinstance(error, ValueError)
    return isinstance(error, _POSTGRES_TRANSIENT)


def _is_hopeless(error: BaseException) -> bool:
    """Say whether somebody has to mend the machine before another try can succeed."""
    is_full = isinstance(error, asyncpg.DiskFullError | asyncpg.ReadOnlySQLTransactionError)
    return is_full or _HOPELESS_SQLITE.search(str(error)) is not None


@lru_cache(maxsize=1024)
def _with_question_marks(sql: str) -> str:
    return re.sub(r"\$(\d+)", r"?\1", sql)
