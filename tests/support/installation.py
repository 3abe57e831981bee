"""An installation of the product: real processes that a test may kill, stop and restart."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptpilot.watchdog import EXIT_CODE
from tests.support.children import start_child, stop_child
from tests.support.effects import Effect, read_effects

_ROOT = Path(__file__).parents[2]
#: How a process may be killed: by the system, or by its own watchdog.
_DEATHS = {-signal.SIGKILL, EXIT_CODE}
#: What the system and Python need; nothing else of the test's environment reaches a process.
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
_SECRETS = {
    "PROMPTPILOT_JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "PROMPTPILOT_MASTER_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}


def shared(database_url: str, redis_url: str) -> dict[str, str]:
    """Return the settings of processes that share a database and a Redis."""
    return {**_SECRETS, "DATABASE_URL": database_url, "REDIS_URL": redis_url}


@dataclass(eq=False)
class Process:
    """One process of the product. It is killed when the test ends, if it has not ended before."""

    child: subprocess.Popen[bytes] = field(repr=False)
    log: Path
    command: str = ""

    @property
    def pid(self) -> int:
        """Return its id in the system."""
        return self.child.pid

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        return self.child.poll() is None

    def kill(self) -> None:
        """End it with kill -9; it is gone when this returns."""
        stop_child(self.child, signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.child.send_signal(number)

    async def ended(self, within: float) -> int:
        """Wait for its end and return its exit code."""
        try:
            return await asyncio.to_thread(self.child.wait, within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It did not end within {within} s:\n{self.tail()}") from None

    def lines(self, containing: str) -> list[str]:
        """Return the lines that it has written so far with `containing` in them."""
        return [line for line in self.log.read_text().splitlines() if containing in line]

    def tail(self) -> str:
        """Return the end of what it wrote, for the message of a failure."""
        return self.log.read_text()[-3000:]


@dataclass
class Installation:
    """Processes with the same settings and a folder of their own. End it with `remove`.

    `program` is the module that they run.
    """

    folder: Path
    settings: Mapping[str, str]
    program: str = "promptpilot"
    processes: list[Process] = field(default_factory=list)
    dead: list[Process] = field(default_factory=list)

    @property
    def running(self) -> list[Process]:
        """Return the processes that have not ended."""
        return [process for process in self.processes if process.is_running]

    @property
    def effects_file(self) -> Path:
        """Return the file of the effects."""
        return self.folder / "effects.jsonl"

    def effects(self) -> list[Effect]:
        """Return what the steps have done so far."""
        return read_effects(self.effects_file)

    def start(self, *arguments: str, **settings: str) -> Process:
        """Start a process of the product; `settings` are the variables that differ."""
        number = len(self.processes) + len(self.dead)
        log = self.folder / f"{arguments[0]}-{number}.log"
        command = [sys.executable, "-m", self.program, *arguments]
        child = start_child(command, log, env=self.environment() | settings)
        process = Process(child, log, arguments[0])
        self.processes.append(process)
        return process

    def start_workers(self, count: int) -> list[Process]:
        """Start so many workers."""
        return [self.start("worker") for _ in range(count)]

    def restart_dead(self) -> int:
        """Start a worker for each one that was killed, as a supervisor would; return how many."""
        ended = [process for process in self.processes if not process.is_running]
        for process in ended:
            assert process.child.returncode in _DEATHS, process.tail()
            self.processes.remove(process)
            self.dead.append(process)
        self.start_workers(len(ended))
        return len(ended)

    def kill(self, command: str) -> None:
        """End the processes of one command with kill -9."""
        for process in self.running:
            if process.command == command:
                process.kill()

    def kill_all(self) -> None:
        """End every process with kill -9, at once."""
        for process in self.running:
            process.send(signal.SIGKILL)
        for process in self.processes:
            process.kill()

    def lines(self, containing: str) -> list[str]:
        """Return the lines of all logs with `containing` in them."""
        everyone = [*self.processes, *self.dead]
        return [line for process in everyone for line in process.lines(containing)]

    def environment(self) -> dict[str, str]:
        """Return the environment of the processes."""
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {
            **passed_on,
            "PYTHONPATH": str(_ROOT),
            "EFFECTS": str(self.effects_file),
            "PROMPTPILOT_DATA_DIR": str(self.folder / "data"),
            "PROMPTPILOT_LOG_FORMAT": "json",
            "PROMPTPILOT_SQLITE_SYNCHRONOUS": "NORMAL",
            **self.settings,
        }

    def remove(self) -> None:
        """End every process."""
        self.kill_all()
