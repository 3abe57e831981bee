"""Tortoise's SQLite backend, made safe for several processes and for cancelled tasks.

Rules:
- A transaction is BEGIN IMMEDIATE. A deferred one that reads and then writes fails at once with
  "database is locked" when another process wrote in between, whatever the busy timeout.
- Everything that writes uses one connection and takes turns through `write_lock`; reads outside
  transactions use a second, read-only connection and never wait for a writer.
- Cancelling a task leaves neither a lock held nor a transaction open.
- A task that was created inside a transaction cannot use it once it has ended.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from types import TracebackType
from typing import Any, cast

import aiosqlite
from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper
from tortoise.connection import ConnectionToken, get_connections
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError

from promptpilot.models.settling import settle

_READS = re.compile(r"\s*(SELECT|EXPLAIN|PRAGMA|WITH)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class SafeSqliteClient(SqliteClient):
    """One database file. `write_lock` is the process's turn to write; see the module's rules."""

    def __init__(self, file_path: str, *, synchronous: str = "NORMAL", **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.pragmas = {
            "busy_timeout": 15000,
            "journal_mode": "WAL",
            "journal_size_limit": 64 * 1024 * 1024,
            "synchronous": synchronous,
            "foreign_keys": "ON",
        }
        self.write_lock = asyncio.Lock()
        self.writer: aiosqlite.Connection | None = None
        self._opening = asyncio.Lock()
        #: Transactions whose task was cancelled while BEGIN was waiting for another process.
        self._abandoned: set[asyncio.Task[None]] = set()

    async def create_connection(self, with_db: bool) -> None:  # noqa: FBT001 - Tortoise's signature
        """Open the reading and the writing connection, unless they are open."""
        async with self._opening:
            if self._connection is None:
                await settle(self._open())

    async def _open(self) -> None:
        writer = await self._open_one(self.pragmas)
        try:
            reader = await self._open_one({**self.pragmas, "query_only": "ON"})
        except BaseException:
            await writer.close()
            raise
        self.writer, self._connection = writer, reader
        await self._post_connect()

    async def _open_one(self, pragmas: dict[str, Any]) -> aiosqlite.Connection:
        with _translated():
            connection = await aiosqlite.connect(self.filename, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            for name, value in pragmas.items():
                await connection.execute_fetchall(f"PRAGMA {name}={value}")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        """End the transactions that were abandoned, then close; the threads end with it."""
        if self._abandoned:
            await asyncio.wait(self._abandoned)
        connections = [c for c in (self._connection, self.writer) if c is not None]
        self._connection = self.writer = None
        for connection in connections:
            await connection.close()

    def abandon(self, begin: asyncio.Task[None]) -> None:
        """Wait in the background for a BEGIN that nobody wants any more, and undo it.

        Afterwards the write lock, which the caller holds, is free.
        """
        task = asyncio.ensure_future(self._undo(begin))
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)

    async def _undo(self, begin: asyncio.Task[None]) -> None:
        try:
            with suppress(OperationalError):
                await begin
            await self.undo_open_transaction()
        finally:
            self.write_lock.release()

    async def undo_open_transaction(self) -> None:
        """Roll back whatever is open on the writing connection; never raises a database error."""
        if self.writer is not None:
            with suppress(sqlite3.Error, ValueError):  # ValueError: the connection is closed
                await self.writer.rollback()

    def _in_transaction(self) -> TransactionContext:
        return ImmediateContext(self)

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        """Insert one row and return its rowid."""
        async with self._written() as connection:
            with _translated():
                row = await connection.execute_insert(query, values)
                return int(row[0]) if row else 0

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        """Execute once per list of values, all or none."""
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[Any]]:
        """Return the number of changed (or else of found) rows, and the rows.

        A DELETE counts the rows that it removed by cascade as well.
        """
        async with self._turn(query) as connection:
            with _translated():
                before = connection.total_changes
                rows = list(await connection.execute_fetchall(query, values))
                return (connection.total_changes - before) or len(rows), rows

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows as dictionaries; the statement may write and return."""
        return [dict(row) for row in (await self.execute_query(query, values))[1]]

    async def execute_script(self, query: str) -> None:
        """Execute several statements, each of which is its own transaction."""
        async with self._written() as connection:
            with _translated():
                await connection.executescript(query)

    def _turn(self, query: str) -> ConnectionWrapper[aiosqlite.Connection] | WriteTurn:
        return self.acquire_connection() if _is_read(query) else self._written()

    def _written(self) -> WriteTurn:
        return WriteTurn(self)


class WriteTurn:
    """The writing connection, for one statement outside of a transaction."""

    def __init__(self, client: SafeSqliteClient) -> None:
        self._client = client

    async def __aenter__(self) -> aiosqlite.Connection:
        await self._client.create_connection(with_db=True)
        await self._client.write_lock.acquire()
        if self._client.writer is None:
            self._client.write_lock.release()
            raise OperationalError("the database is closed")
        return self._client.writer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._client.write_lock.release()


class ImmediateTransaction(SqliteTransactionWrapper):
    """The client that a task sees inside a transaction."""

    _parent: SafeSqliteClient | ImmediateTransaction

    def __init__(self, parent: SafeSqliteClient | ImmediateTransaction) -> None:
        super().__init__(parent)
        if isinstance(parent, SafeSqliteClient):
            self._connection = cast("aiosqlite.Connection", parent.writer)

    @property
    def is_over(self) -> bool:
        """Say whether this transaction, or the one around it, has ended."""
        parent = self._parent
        return self._finalized or (isinstance(parent, ImmediateTransaction) and parent.is_over)

    def acquire_connection(self) -> ConnectionWrapper[aiosqlite.Connection]:
        """Return the connection; raise TransactionManagementError when the transaction is over.

        A task that was created inside the transaction carries it on. After the end its writes
        would land in whatever transaction happens to be open on the shared connection.
        """
        if self.is_over:
            raise TransactionManagementError(
                "The transaction is over: a task created inside it cannot use it. "
                "Create the task after the transaction."
            )
        return super().acquire_connection()

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(ImmediateTransaction(self))

    async def begin(self) -> None:
        """Take the database's write lock; raise OperationalError after 15 s without it."""
        with _translated():
            await self._connection.execute_fetchall("BEGIN IMMEDIATE")

    async def execute_script(self, query: str) -> None:
        """Refuse: SQLite would commit the transaction before the script."""
        raise TransactionManagementError("A script inside a transaction would commit it.")

    async def commit(self) -> None:
        """Commit; on failure the transaction is rolled back before the error is raised."""
        self._finalized = True
        try:
            with _translated():
                await self._connection.commit()
        except BaseException:
            await self._undo()
            raise

    async def rollback(self) -> None:
        """Undo everything; never raises a database error, so that it masks no other."""
        self._finalized = True
        await self._undo()

    async def _undo(self) -> None:
        if isinstance(self._parent, SafeSqliteClient):
            await self._parent.undo_open_transaction()


class ImmediateContext(TransactionContext):
    """A transaction from BEGIN IMMEDIATE to its end, under the client's write lock."""

    def __init__(self, client: SafeSqliteClient) -> None:
        self._owner = client
        self._token: ConnectionToken | None = None

    async def __aenter__(self) -> TransactionalDBClient:
        await self._owner.create_connection(with_db=True)
        await self._owner.write_lock.acquire()
        self.client = await self._begin()
        self._token = get_connections().set(self._owner.connection_name, self.client)
        return self.client

    async def _begin(self) -> ImmediateTransaction:
        """Return the open transaction; on failure the write lock is (or will be) free."""
        transaction = ImmediateTransaction(self._owner)
        begin = asyncio.ensure_future(transaction.begin())
        try:
            await asyncio.shield(begin)
        except asyncio.CancelledError:
            self._owner.abandon(begin)
            raise
        except BaseException:
            self._owner.write_lock.release()
            raise
        return transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        get_connections().reset(self._token)
        try:
            if not self.client._finalized:  # noqa: SLF001 - the protocol of Tortoise's contexts
                await settle(self.client.commit() if kind is None else self.client.rollback())
        finally:
            self._owner.write_lock.release()


@lru_cache(maxsize=1024)
def _is_read(query: str) -> bool:
    """Say whether the reading connection will do; a mistake is refused there by `query_only`."""
    start = _READS.match(query)
    return start is not None and (start[1].upper() != "WITH" or not _WRITES.search(query))


@contextmanager
def _translated() -> Iterator[None]:
    """Raise sqlite3's errors as Tortoise's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(error) from error
    except sqlite3.OperationalError as error:
        raise OperationalError(error) from error


client_class = SafeSqliteClient
