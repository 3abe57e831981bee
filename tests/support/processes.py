"""Starts the product's commands as real processes, and reads what they write."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.children import start_child, stop_child
from tests.support.waiting import wait_until

#: What the system and Python need; nothing else of the test's environment reaches a process.
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
_WITHIN = 60.0


@dataclass(eq=False)
class Command:
    """A running `promptpilot <command>`."""

    child: subprocess.Popen[bytes] = field(repr=False)
    log: Path

    @property
    def output(self) -> str:
        """Return what it has written so far, to both streams."""
        return self.log.read_text("utf-8", "replace")

    async def says(self, text: str) -> str:
        """Wait until it has written `text`; return all that it has written."""

        async def output() -> str | None:
            assert self.child.poll() is None or text in self.output, self.output
            return self.output if text in self.output else None

        return await wait_until(output, _WITHIN, lambda: self.output)

    async def ends(self, within: float = _WITHIN) -> int:
        """Wait for its end and return its exit code."""
        return await asyncio.to_thread(self.child.wait, within)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, wait for its end and return its exit code."""
        self.child.send_signal(number)
        return await self.ends()

    def kill(self) -> None:
        """End it with kill -9; it is gone when this returns."""
        stop_child(self.child, signal.SIGKILL)


@dataclass
class Commands:
    """Starts commands that end with the test. Settings are named without their prefix."""

    folder: Path
    started: list[Command] = field(default_factory=list)

    def start(self, *arguments: str, **settings: str) -> Command:
        """Start `promptpilot <arguments>`; DATABASE_URL and REDIS_URL keep their names."""
        log = self.folder / f"{len(self.started)}-{arguments[0]}.log"
        command = [sys.executable, "-m", "promptpilot", *arguments]
        child = start_child(command, log, env=environment(settings))
        self.started.append(Command(child, log))
        return self.started[-1]

    def end_all(self) -> None:
        """Kill whatever still runs."""
        for command in self.started:
            command.kill()


def free_port() -> str:
    """Return a port of the loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a process with these settings."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {
        name if name.endswith("_URL") else f"PROMPTPILOT_{name}": value
        for name, value in settings.items()
    }
    return {**passed_on, **own}
