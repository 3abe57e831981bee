"""Listens on loopback and lets each request choose how it is treated."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.hostile.answers import answers
from tests.support.hostile.conversation import ClientGone, Conversation, read_request
from tests.support.hostile.faults import FAULTS
from tests.support.hostile.journal import Journal

_JOURNAL = "/journal"


class HostileServer:
    """A server that runs. Its `journal` holds every request but those to `/journal` itself."""

    def __init__(self, host: str, scheme: str) -> None:
        self.journal = Journal()
        self.port = 0
        self._host = host
        self._scheme = scheme
        self._behaviours = {**FAULTS, **answers()}
        self._conversations: set[asyncio.Task[None]] = set()

    def url(self, path: str = "", host: str = "") -> str:
        """Return the URL of `path`, under another name for the host if one is given."""
        return f"{self._scheme}://{host or self._host}:{self.port}{path}"

    async def serve(self, tls: ssl.SSLContext | None, port: int = 0) -> asyncio.Server:
        """Begin to listen; port 0 is any free one."""
        listening = await asyncio.start_server(self._accept, self._host.strip("[]"), port, ssl=tls)
        self.port = listening.sockets[0].getsockname()[1]
        return listening

    async def stop(self) -> None:
        """End every conversation."""
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        except asyncio.CancelledError:
            return  # the server stops; nobody waits for the end of this task but stop()
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.journal.connections += 1
        request = await read_request(reader)
        conversation = Conversation(request, reader, writer)
        if request.path == _JOURNAL:
            self.journal.connections -= 1
            await self._show_journal(conversation)
            return
        await self.journal.note(request)
        clock = asyncio.get_running_loop().time
        came_at = clock()
        try:
            await self._behave(conversation)
        except ClientGone:
            request.is_abandoned = True
        finally:
            await conversation.end()
            request.closed_after = clock() - came_at
            request.closed.set()

    async def _behave(self, conversation: Conversation) -> None:
        behaviour = self._behaviours.get(conversation.name)
        if behaviour is None:
            await conversation.answer(404, b'{"error":"no such behaviour"}')
        else:
            await behaviour(conversation)

    async def _show_journal(self, conversation: Conversation) -> None:
        seen = [each.as_json() for each in self.journal.requests]
        body = json.dumps({"connections": self.journal.connections, "requests": seen})
        await conversation.answer(200, body.encode())
        await conversation.end()


@asynccontextmanager
async def hostile_server(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[HostileServer]:
    """Run a server of this process; it is stopped with all its conversations at the end."""
    server = HostileServer(host, "https" if tls else "http")
    listening = await server.serve(tls)
    try:
        yield server
    finally:
        listening.close()
        await server.stop()
