"""One socket's conversation over graphql-transport-ws, from its first message to its close code.

Invariants: no operation outlives the socket, and its source is closed when it ends, whoever ends
it; only a mutation that was begun goes on to its end, and its answer is dropped. Nothing is
buffered: an operation waits until its last answer was sent, and all answers and pongs of a socket
go out one after another, so a client that does not read stops its own sources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, aclosing, suppress
from typing import Any

import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from promptpilot.errors import CallerError, LimitExceeded, Unavailable
from promptpilot.front.documents import is_subscription
from promptpilot.front.encoding import dumps
from promptpilot.front.errors import Refused, masked_exception
from promptpilot.front.execution import Answer, Operation, formatted
from promptpilot.front.messages import (
    BadMessage,
    ClientMessage,
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    Subscribe,
    read_message,
)
from promptpilot.front.presence import to_its_end
from promptpilot.front.session import Session, until_refused
from promptpilot.front.terms import Terms
from promptpilot.ids import new_reference

log = structlog.get_logger()

_EVENTS_IN_A_ROW = 16  # after so many a source that never suspends lets others run
_CLOSE_SECONDS = 5  # for a client that does not read; then the server drops the connection


SessionFactory = Callable[[WebSocket, Mapping[str, Any]], Awaitable[Session]]


class Closing(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Connection:
    """The conversation on one accepted socket.

    `places` hold the one of a stranger, and that of the caller from the introduction on.
    """

    def __init__(
        self, socket: WebSocket, terms: Terms, new_session: SessionFactory, places: ExitStack
    ) -> None:
        self._socket = socket
        self._terms = terms
        self._new_session = new_session
        self._session: Session | None = None
        self._places = places
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._alive: set[asyncio.Task[None]] = set()  # also those that say their last word
        self._sending = asyncio.Lock()
        self._deadline: float | None = None
        self._waiting = asyncio.timeout_at(None)
        self._watching: asyncio.Task[None] | None = None
        self._end_reason = "the token has expired"

    async def converse(self) -> None:
        """Serve the socket until either side closes it; on return all its operations have ended."""
        self._deadline = self._loop_time() + self._terms.limits.init_timeout.total_seconds()
        async with asyncio.TaskGroup() as operations:
            try:
                await self._listen(operations)
            except Closing as closing:
                self._cancel_all()
                await self._close(closing)
            except (WebSocketDisconnect, WebSocketDisconnected):
                pass
            finally:
                self._cancel_all()

    async def _listen(self, operations: asyncio.TaskGroup) -> None:
        while True:
            try:
                async with asyncio.timeout_at(self._deadline) as self._waiting:
                    await self._obey(await self._receive(), operations)
            except TimeoutError:
                raise self._too_late() from None

    def _too_late(self) -> Closing:
        if self._session is None:
            return Closing(4408, "Connection initialisation timeout")
        return Closing(4403, f"Forbidden: {self._end_reason}")

    async def _receive(self) -> ClientMessage:
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1005))
        text = event.get("text")
        if text is None:
            raise Closing(4400, "A message must be text.")
        if len(text) > self._terms.limits.max_message:
            raise Closing(1009, "The message is too large.")
        try:
            return read_message(text, self._terms.limits.max_json_depth)
        except BadMessage as error:
            raise Closing(4400, str(error)) from None

    async def _obey(self, message: ClientMessage, operations: asyncio.TaskGroup) -> None:
        match message:
            case ConnectionInit():
                await self._introduce(message, operations)
            case Ping():
                await self._send("pong", payload=message.payload)
            case Subscribe():
                await self._subscribe(message, operations)
            case Complete():
                self._complete(message)
            case Pong():
                pass

    async def _introduce(self, message: ConnectionInit, tasks: asyncio.TaskGroup) -> None:
        if self._session is not None:
            raise Closing(4429, "Too many initialisation requests")
        session = await self._open_session(message)
        self._places.close()  # that of a stranger
        try:
            self._places.enter_context(self._terms.sockets.taken(session.key))
        except LimitExceeded as error:
            raise Closing(4429, error.message) from None
        self._session = session
        self._deadline = None
        if session.expires_at is not None:
            rest = session.expires_at - self._terms.clock.now()
            self._deadline = self._loop_time() + rest.total_seconds()
        self._watching = tasks.create_task(self._watch(session))
        await self._send("connection_ack")

    async def _watch(self, session: Session) -> None:
        """End the conversation as soon as its speaker may speak no more."""
        refusal = await until_refused(session, self._terms.limits.trust)
        self._end_reason = refusal.message
        self._deadline = self._loop_time()
        self._waiting.reschedule(self._deadline)

    async def _open_session(self, message: ConnectionInit) -> Session:
        try:
            return await self._new_session(self._socket, message.payload)
        except CallerError as error:
            raise Closing(4403, f"Forbidden: {error.message}") from None
        except Unavailable as error:
            raise Closing(1013, error.message) from None
        except TimeoutError:
            raise
        except Exception as error:  # an edge: the client gets a reference
            reference = new_reference()
            log.exception("graphql.failed", reference=reference, exc_info=error)
            raise Closing(4500, f"Internal server error {reference}") from None

    async def _subscribe(self, message: Subscribe, operations: asyncio.TaskGroup) -> None:
        if self._session is None:
            raise Closing(4401, "Unauthorized")
        if message.id in self._tasks:
            raise Closing(4409, f"Subscriber for {message.id} already exists")
        if self._is_full():
            await self._send_error(message.id, [self._too_many()])
            return
        work = self._operate(message, self._session)
        task = operations.create_task(work)
        self._tasks[message.id] = task
        self._alive.add(task)
        task.add_done_callback(self._alive.discard)

    def _is_full(self) -> bool:
        limit = self._terms.limits.max_subscriptions
        # An operation that waits to send its end has given its id free, but not its memory.
        return len(self._tasks) >= limit or len(self._alive) >= 2 * limit

    def _too_many(self) -> GraphQLError:
        limit = self._terms.limits.max_subscriptions
        return GraphQLError(
            f"At most {limit} operations may run on a socket; complete one first.",
            extensions={"code": "LIMIT_EXCEEDED"},
        )

    def _complete(self, message: Complete) -> None:
        task = self._tasks.pop(message.id, None)
        if task is not None:
            task.cancel()

    async def _operate(self, message: Subscribe, session: Session) -> None:
        try:
            await self._run(message, session)
            self._forget(message.id)
            await self._send("complete", id=message.id)
        except (WebSocketDisconnect, WebSocketDisconnected):
            return
        except Refused as refused:
            self._forget(message.id)
            await self._send_error(message.id, refused.errors)
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            self._forget(message.id)
            await self._send_error(message.id, [masked_exception(error)])

    def _forget(self, operation_id: str) -> None:
        if self._tasks.get(operation_id) is asyncio.current_task():
            del self._tasks[operation_id]

    async def _run(self, message: Subscribe, session: Session) -> None:
        execution = self._terms.execution
        await self._terms.rates.spend(session.key)
        operation = execution.prepare(message.request)
        await session.check()
        if is_subscription(operation.node):
            with self._terms.streams.taken(session.key):
                await self._stream(message.id, operation, session)
        else:
            work = execution.answer(operation, session.operation_context())
            answer = await (to_its_end(work) if execution.must_end(operation) else work)
            await self._send_next(message.id, answer)

    async def _stream(self, operation_id: str, operation: Operation, session: Session) -> None:
        new_context = session.operation_context
        async with aclosing(self._terms.execution.answers(operation, new_context)) as answers:
            count = 0
            async for answer in answers:
                await self._send_next(operation_id, answer)
                count += 1
                if count % _EVENTS_IN_A_ROW == 0:
                    await asyncio.sleep(0)

    async def _send_next(self, operation_id: str, answer: Answer) -> None:
        await self._send("next", id=operation_id, payload=answer.body())

    async def _send_error(self, operation_id: str, errors: Sequence[GraphQLError]) -> None:
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            await self._send("error", id=operation_id, payload=formatted(errors))

    async def _send(self, kind: str, id: str | None = None, payload: Any = None) -> None:
        message = {"type": kind, "id": id, "payload": payload}
        text = dumps({name: value for name, value in message.items() if value is not None})
        async with self._sending:
            try:
                await self._socket.send_text(text.decode())
            except RuntimeError as error:  # the server has closed it, over a broken frame
                raise WebSocketDisconnect from error

    async def _close(self, closing: Closing) -> None:
        # A close frame has room for 123 bytes of reason.
        reason = closing.reason.encode()[:123].decode(errors="ignore")
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):  # as in `_send`
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._socket.close(closing.code, reason)

    def _cancel_all(self) -> None:
        for task in (*self._alive, *([self._watching] if self._watching else [])):
            task.cancel()

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()
