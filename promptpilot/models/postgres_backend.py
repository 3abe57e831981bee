"""Tortoise's asyncpg backend, made safe for cancelled tasks and lost connections.

Rules:
- Cancelling a task gives its connection back to the pool, with no transaction open on it.
- A failing rollback (the connection is gone) never hides the error that caused it.
- Connections are not reset when they return to the pool, which saves a round trip per query:
  nobody may SET, LISTEN or take a session lock on a pooled connection.
- A task that was created inside a transaction cannot use it once it has ended.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.connection import ConnectionToken, get_connections
from tortoise.exceptions import TransactionManagementError

from promptpilot.models.settling import settle

#: What a connection in use may raise when it is broken.
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class SafePostgresClient(AsyncpgDBClient):
    """A pool of connections to one database; see the module's rules."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, reset=_leave_as_it_is)

    def _in_transaction(self) -> TransactionContext:
        return PooledContext(self)

    async def execute_many(self, query: str, values: list[Any]) -> None:
        """Execute once per list of values, all or none."""
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)


class PooledTransaction(TransactionWrapper):
    """The client that a task sees inside a transaction."""

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        """Return the connection; raise TransactionManagementError when the transaction is over."""
        if self._finalized:
            raise TransactionManagementError(
                "The transaction is over: a task created inside it cannot use it. "
                "Create the task after the transaction."
            )
        return super().acquire_connection()

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(PooledTransaction(self))

    async def commit(self) -> None:
        """Commit; whatever is raised, the transaction is over."""
        try:
            await self._commit()
        finally:
            self._finalized = True

    @translate_exceptions
    async def _commit(self) -> None:
        if self.transaction is not None:
            await self.transaction.commit()

    async def rollback(self) -> None:
        """Undo everything; a connection that cannot is closed, which undoes it on the server."""
        self._finalized = True
        try:
            if self.transaction is not None:
                await self.transaction.rollback()
        except _LOST:
            with suppress(asyncpg.InterfaceError):  # it may have left the pool by itself
                self._connection.terminate()


class PooledContext(TransactionContext):
    """A transaction from taking a connection out of the pool to giving it back."""

    def __init__(self, client: SafePostgresClient) -> None:
        self._owner = client
        self._token: ConnectionToken | None = None

    async def __aenter__(self) -> TransactionalDBClient:
        pool = await self._pool()
        transaction = PooledTransaction(self._owner)
        transaction._connection = await pool.acquire()  # noqa: SLF001 - Tortoise's protocol
        self._used, self.client = pool, transaction
        try:
            await settle(transaction.begin())
        except BaseException:
            await settle(self._end(is_kept=False))
            raise
        self._token = get_connections().set(self._owner.connection_name, transaction)
        return transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        get_connections().reset(self._token)
        await settle(self._end(is_kept=kind is None))

    async def _end(self, *, is_kept: bool) -> None:
        try:
            if not self.client._finalized:  # noqa: SLF001 - Tortoise's protocol
                await (self.client.commit() if is_kept else self.client.rollback())
        finally:
            await self._used.release(self.client._connection)  # noqa: SLF001 - as above

    async def _pool(self) -> Any:
        if self._owner._pool is None:  # noqa: SLF001 - Tortoise's own way of opening it late
            async with self._owner._pool_init_lock:  # noqa: SLF001 - as above
                if self._owner._pool is None:  # noqa: SLF001 - another task may have opened it
                    await self._owner.create_connection(with_db=True)
        return self._owner._pool  # noqa: SLF001 - as above


async def _leave_as_it_is(connection: Any) -> None:
    """Do nothing on release; asyncpg itself rolls back a transaction that is still open."""
    await asyncio.sleep(0)


client_class = SafePostgresClient
