"""A server as people start it, for clients from outside: it can be killed and come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.caller import calling
from tests.support.node import FOLDER, NODE
from tests.support.processes import Command, Commands, free_port
from tests.support.waiting import wait_until

_READY_SECONDS = 30.0
_LINE_SECONDS = 60.0
_LINE_BYTES = 1 << 22


@dataclass
class Server:
    """One `promptpilot up` with data of its own. Take it from `server_in`."""

    commands: Commands
    settings: dict[str, str]
    command: Command | None = None

    @property
    def port(self) -> int:
        """Return the port that it listens at, each time that it runs."""
        return int(self.settings["PORT"])

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it; it takes requests when this returns."""
        started = self.command = self.commands.start("up", **self.settings)
        async with calling(self.port) as caller:

            async def is_ready() -> bool:
                assert started.child.poll() is None, started.output
                return await caller.is_served()

            await wait_until(is_ready, _READY_SECONDS, lambda: started.output)

    async def restart(self) -> None:
        """End it with kill -9 and start it again."""
        if self.command:
            self.command.kill()
        await self.start()

    def end(self) -> None:
        """End it with kill -9."""
        self.commands.end_all()


def server_in(folder: Path, **settings: str) -> Server:
    """Return a server with its data in `folder`, not started; settings are named without prefix."""
    own = {
        "DATA_DIR": str(folder / "data"),
        "PORT": free_port(),
        "LEASE_SECONDS": "2",
        "LOG_FORMAT": "json",
    }
    return Server(Commands(folder), own | settings)


@asynccontextmanager
async def up(folder: Path, **settings: str) -> AsyncIterator[Server]:
    """Give a running server with its data in `folder`."""
    server = server_in(folder, **settings)
    try:
        await server.start()
        yield server
    finally:
        server.end()


async def converse(server: Server, script: str, *arguments: str) -> Any:
    """Run a script beside a server; return what it tells at last.

    Each of its lines is JSON: `{"please": "restart"}` is done and answered with a line, `told`
    is the end.
    """
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        NODE,
        script,
        server.url,
        *arguments,
        cwd=FOLDER,
        env={"PATH": str(NODE.parent), "NO_COLOR": "1"},
        stdin=pipe,
        stdout=pipe,
        limit=_LINE_BYTES,
    )
    assert child.stdin
    assert child.stdout
    try:
        async with asyncio.timeout(_LINE_SECONDS):
            while line := await child.stdout.readline():
                message = json.loads(line)
                if "told" in message:
                    return message["told"]
                await server.restart()
                child.stdin.write(b"\n")
        raise AssertionError(f"{script} ended and had told nothing.")
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
