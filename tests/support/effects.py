"""What steps did to the world: a provider that writes every call down, and who reads it.

Each call appends two lines to a file: `begin` as the effect happens, `end` before it is answered.
The file outlives the process that wrote it, so what a killed worker did is known.

Units: `at` is in milliseconds of the wall clock, which is the database's as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink

#: The step of a poisonous execution that does harm to its process.
POISONED_PATH = "2"


class Manner(StrEnum):
    """How an execution behaves: its input `manner`."""

    QUICK = "quick"  #: 50 to 250 ms for each step
    SLOW = "slow"  #: a second for each step
    POISON = "poison"  #: kills the process that runs its third step
    HANG = "hang"  #: lets nothing else happen in the process that runs its third step


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of the file."""

    phase: str
    execution_id: str
    path: str
    attempt: int
    key: str
    pid: int
    at: int

    @property
    def step(self) -> tuple[str, str]:
        """The step execution it belongs to."""
        return self.execution_id, self.path


class RecordingProvider:
    """Does what a prompt `<manner> <execution id> <path>` says, and writes it down."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Write, take some time, write again and answer."""
        manner, execution_id, path = request.content.split()
        self._write("begin", request, execution_id, path)
        if path == POISONED_PATH:
            _harm(manner)
        await asyncio.sleep(_seconds(manner, request.idempotency_key))
        self._write("end", request, execution_id, path)
        return ModelReply(text=request.idempotency_key, is_simulated=True)

    def _write(self, phase: str, request: ModelRequest, execution_id: str, path: str) -> None:
        at = time.time_ns() // 1_000_000
        key, pid = request.idempotency_key, os.getpid()
        effect = Effect(phase, execution_id, path, request.attempt, key, pid, at)
        os.write(self._file, json.dumps(asdict(effect)).encode() + b"\n")


def read_effects(file: Path) -> list[Effect]:
    """Return the effects that began, in the order in which they happened.

    The last line may be on its way: what has no end yet is left for the next look.
    """
    whole, _, _ = file.read_text().rpartition("\n") if file.exists() else ("", "", "")
    lines = whole.splitlines()
    effects = [Effect(**json.loads(line)) for line in lines]
    return [effect for effect in effects if effect.phase == "begin"]


def repeats(effects: Iterable[Effect]) -> int:
    """Return how many effects were the repetition of one that had happened."""
    return sum(count - 1 for count in Counter(effect.step for effect in effects).values())


def seen_by(effects: Sequence[Effect], pid: int) -> list[Effect]:
    """Return the effects of one process."""
    return [effect for effect in effects if effect.pid == pid]


def _harm(manner: str) -> None:
    if manner == Manner.POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    if manner == Manner.HANG:
        threading.Event().wait()


def _seconds(manner: str, key: str) -> float:
    """Return how long a step takes; different for each step, the same for all its attempts."""
    if manner == Manner.SLOW:
        return 1.0
    return 0.05 + int.from_bytes(key.encode()[:8]) % 200 / 1000
