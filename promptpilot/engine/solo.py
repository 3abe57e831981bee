"""Runs one execution alone in a child process, because its worker was lost twice in a row.

Only then can a crash be laid at its door: innocent neighbours of a poisonous execution share its
crashes, but not its child process. If the child dies of a signal or exits with a code that is not
its own, the execution FAILED with DEAD_LETTERED.

The child beats its own lease, under the fence that its parent claimed. It is killed with its
parent, and its memory is bounded, so that the machine does not suffer with it.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import structlog

from promptpilot.clock import to_ms
from promptpilot.engine import ledger, reasons
from promptpilot.engine.advance import MANUAL, advance
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.lease import Lease, beat, beat_forever
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark, Ended, Place
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.scope import Outcome
from promptpilot.engine.tools import Tools
from promptpilot.errors import LeaseLost
from promptpilot.models import Execution

#: The child could not work for a reason that is not the execution's: it will be claimed again.
EXIT_TRY_AGAIN = 75
_PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SoloSettings:
    """How a child is started. `memory_bytes` bounds its address space.

    At most `at_once` children of one worker live at a time: after a crash of the whole machine,
    everything that was running is to be run alone. A child has `stop` to give its execution back.
    """

    command: tuple[str, ...] = (sys.executable, "-m", "promptpilot", "solo")
    memory_bytes: int = 2 * 1024**3
    at_once: int = 2
    stop: timedelta = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the child reads from its standard input."""

    claimed: Claimed
    lease_ms: int
    #: When the lease began to count, on the clock that all processes of a machine share.
    claimed_at: float

    def to_json(self) -> bytes:
        """Return the orders as one JSON text."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Orders:
        """Read orders that `to_json` wrote."""
        document = json.loads(text)
        return cls(Claimed(**document["claimed"]), document["lease_ms"], document["claimed_at"])


async def run_alone(claimed: Claimed, lease: Lease, tools: Tools, settings: SoloSettings) -> None:
    """Run a claimed execution in a child process and judge how the child ended.

    A cancelled call stops the child with SIGTERM, so that it gives the execution back itself.
    """
    log.warning("execution.quarantined", execution_id=claimed.id, crashes=claimed.crashes)
    child = await asyncio.create_subprocess_exec(
        *settings.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        preexec_fn=lambda: _confine(settings.memory_bytes),
    )
    lease_ms = lease.length // timedelta(milliseconds=1)
    orders = Orders(claimed, lease_ms, lease.counts_from)
    try:
        await child.communicate(orders.to_json())
    except asyncio.CancelledError:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL if lease.is_lost else signal.SIGTERM)
        await _wait_or_kill(child, settings.stop)
        raise
    if child.returncode not in {0, EXIT_TRY_AGAIN}:
        await _bury(claimed, tools, child.returncode or 0)


async def work(orders: Orders, tools: Tools, is_stopping: Callable[[], bool]) -> None:
    """Do the child's work: drive the one execution, beating its lease.

    A cancelled call gives the execution back first, in the middle of a step if need be.
    """
    length = timedelta(milliseconds=orders.lease_ms)
    lease = Lease(orders.claimed, length, orders.claimed_at)
    await beat(tools.committer, [lease])  # starting this process may have taken most of the lease
    lease.task = asyncio.create_task(advance(orders.claimed, lease, tools, is_stopping))
    beats = asyncio.create_task(beat_forever(tools.committer, [lease], length))
    try:
        await asyncio.wait([lease.task, beats], return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        lease.task.cancel()
        await asyncio.wait([lease.task])
        raise
    finally:
        beats.cancel()
    await lease.task


async def _wait_or_kill(child: Process, patience: timedelta) -> None:
    """Wait for the child's end; one that does not stop in time is killed."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


async def _bury(claimed: Claimed, tools: Tools, code: int) -> None:
    """Fail an execution whose child died: it killed a process that it had to itself."""
    row = await Execution.get_or_none(id=claimed.id)
    if row is None or row.fence != claimed.fence or row.status != ExecutionStatus.RUNNING:
        return
    definition = await tools.versions.get(claimed.workflow_version_id)
    entry = Entry(row.id, row.fence, row.last_seq, row.position)
    why = _verdict(code)
    if row.current_path is not None:
        place = Place(definition.steps[row.position], row.position)
        entry.end_step(place, _mark(row), Ended(Outcome(StepStatus.FAILED, error=why)))
    entry.fail(why, opens_dead_letter=claimed.trigger_type != MANUAL)
    try:
        await ledger.record(tools.committer, entry)
    except LeaseLost:
        log.info("execution.lost", execution_id=claimed.id, fence=claimed.fence)
        return
    tools.feed.ring(claimed.id, claimed.workspace_id)
    log.error("execution.dead_lettered", execution_id=claimed.id, exit_code=code)


def _verdict(code: int) -> reasons.Reason:
    details: dict[str, Any] = {"exitCode": code}
    how = f"exit code {code}"
    if code < 0:
        how = details["signal"] = signal.Signals(-code).name
    message = f"The execution ended its worker process three times, the last time alone ({how})."
    return reasons.reason(reasons.DEAD_LETTERED, message, details=details)


def _mark(row: Execution) -> AttemptMark:
    started_at = to_ms(row.attempt_started_at or row.created_at)
    step_started_at = to_ms(row.step_started_at) if row.step_started_at else started_at
    return AttemptMark(row.current_attempt, started_at, step_started_at)


def _confine(memory_bytes: int) -> None:
    """Bind the child to its parent's life and bound its memory. Runs between fork and exec."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(EXIT_TRY_AGAIN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
