"""The driver: takes a claimed execution from step to step until it ends, waits or is given back.

Invariant: what is decided is recorded before anything else is done, and what was done is recorded
before the next decision. So `advance` may stop at any point, and may be called again by anybody
who holds the lease: a recorded step is never run again, an unrecorded one is run again under the
same idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine import ledger, plan, reasons, retry
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Claimed, Recorded
from promptpilot.engine.definition import Definition, ModelProvider, Step, StepType
from promptpilot.engine.inputs import check_output
from promptpilot.engine.lease import Lease
from promptpilot.engine.ledger import AttemptMark, Ended, Entry, Place, Usage
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus, WaitReason
from promptpilot.engine.plan import Finish, GiveUp, Move, RunStep
from promptpilot.engine.ports import Feed
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Provider
from promptpilot.engine.providers.registry import PROVIDERS
from promptpilot.engine.scope import Outcome, Progress
from promptpilot.engine.steps.base import Done, ModelsFailed, StepContext, StepExecutor
from promptpilot.engine.steps.registry import EXECUTORS
from promptpilot.engine.story import load_progress
from promptpilot.engine.versions import Versions
from promptpilot.errors import InvalidInput, LeaseLost, StepFailed
from promptpilot.models.columns import check_json

DEFAULT_STEP_TIMEOUT = timedelta(minutes=10)
MANUAL = "MANUAL"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What driving needs, the same for every execution of a process."""

    committer: Committer
    versions: Versions
    feed: Feed
    executors: Mapping[StepType, StepExecutor] = field(default_factory=lambda: EXECUTORS)
    providers: Mapping[ModelProvider, Provider] = field(default_factory=lambda: PROVIDERS)


async def advance(
    claimed: Claimed, lease: Lease, tools: Tools, is_stopping: Callable[[], bool]
) -> None:
    """Drive one execution until it ends, waits, or `is_stopping` says to give it back.

    May be called any number of times. After `LeaseLost` nothing more is written by this call.
    """
    try:
        definition = await tools.versions.get(claimed.workflow_version_id)
        progress = await load_progress(claimed, definition)
        drive = _Drive(claimed, lease, tools, definition, is_stopping)
        await drive.run(progress)
    except LeaseLost:
        log.info("execution.lost", execution_id=claimed.id, fence=claimed.fence)


class _Drive:
    """One claim of one execution. Holds the number of its newest event between entries."""

    def __init__(
        self,
        claimed: Claimed,
        lease: Lease,
        tools: Tools,
        definition: Definition,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._claimed = claimed
        self._lease = lease
        self._tools = tools
        self._definition = definition
        self._is_stopping = is_stopping
        self._is_interrupted = False
        self._last_seq = claimed.last_seq
        self._providers = {kind: _Fenced(each, lease) for kind, each in tools.providers.items()}

    async def run(self, progress: Progress) -> None:
        """Take up where the execution stands, then go from step to step."""
        if self._lease.is_cancel_requested:
            await self._cancel_untouched()
            return
        move, mark = await self._take_up(progress)
        while isinstance(move.next, RunStep) and mark is not None:
            place = self._place(move.next.position)
            if self._must_stop():
                await self._stop(place, mark)
                return
            try:
                ended = await self._run_step(place, mark, move.progress)
            except asyncio.CancelledError:
                self._absorb_cancellation()
                await self._stop(place, mark)
                return
            except StepFailed as failure:
                if await self._park(place, mark, failure):
                    return
                ended = _failed(failure)
            move, mark = await self._go_on(place, mark, ended, move.progress)

    async def _take_up(self, progress: Progress) -> tuple[Move, AttemptMark | None]:
        """Begin the attempt that is due: the next one at the step in hand, or a step's first."""
        claimed, entry = self._claimed, self._entry()
        is_at_step = claimed.current_attempt > 0
        if not is_at_step:
            now = from_ms(claimed.now)
            move = plan.first_move(self._definition, progress, claimed.position, now)
            return move, await self._record_move(entry, move)
        place = self._place(claimed.position)
        attempt = claimed.current_attempt + 1
        started_at = claimed.step_started_at or claimed.now
        if claimed.current_path is not None:
            entry.end_attempt(place, self._lost_mark(), _WORKER_LOST)
            entry.begin_step(place, attempt, started_at)
        elif claimed.waited_for == WaitReason.RETRY:
            entry.resume_step(place, attempt, started_at)
        else:
            entry.begin_step(place, attempt, started_at)
        recorded = await self._record(entry)
        return Move(progress, (), RunStep(place.position)), _mark(entry, recorded)

    async def _run_step(self, place: Place, mark: AttemptMark, progress: Progress) -> Ended:
        """Do the work of a step. Raises `StepFailed`, whatever went wrong."""
        self._lease.check()
        step = place.step
        longest = timedelta(seconds=step.timeout_seconds) if step.timeout_seconds else None
        seconds = (longest or DEFAULT_STEP_TIMEOUT).total_seconds()
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                done = await self._executor(step).run(self._context(place, mark, progress))
            check_json(done.output, ("output",))
        except TimeoutError as bug:
            if not limit.expired():
                raise self._internal(place, bug) from bug
            message = f"The step took longer than {seconds:g} seconds."
            raise StepFailed(message, reasons.STEP_TIMEOUT, is_retryable=True) from None
        except InvalidInput as fault:
            raise StepFailed(fault.message, "OUTPUT_INVALID", is_retryable=True) from fault
        except (StepFailed, LeaseLost):
            raise
        except Exception as bug:
            raise self._internal(place, bug) from bug
        return _ended(done)

    async def _go_on(
        self, place: Place, mark: AttemptMark, ended: Ended, progress: Progress
    ) -> tuple[Move, AttemptMark | None]:
        """Record how a step ended together with what is next."""
        outcome, move = plan.move_after(
            self._definition, progress, place.position, ended.outcome, from_ms(mark.started_at)
        )
        entry = self._entry()
        entry.end_step(place, mark, Ended(outcome, ended.input, ended.model_calls, ended.usage))
        return move, await self._record_move(entry, move)

    async def _record_move(self, entry: Entry, move: Move) -> AttemptMark | None:
        """Record a decision. Return the mark of the step that began; None if none did."""
        for ending in move.endings:
            entry.skip_step(self._place(ending.position), ending.outcome)
        match move.next:
            case RunStep(position) if self._must_stop():
                entry.position = position
                self._give_back(entry)
            case RunStep(position):
                entry.begin_step(self._place(position), 1, None)
            case Finish(output):
                entry.position = len(self._definition.steps)
                self._finish(entry, output)
            case GiveUp(error):
                self._fail(entry, error)
        recorded = await self._record(entry)
        return _mark(entry, recorded) if entry.current_path is not None else None

    def _finish(self, entry: Entry, output: dict[str, Any]) -> None:
        """Complete the execution; fail it if its output is not what the workflow declares."""
        try:
            check_output(self._definition, output)
            entry.complete(output)
        except InvalidInput as fault:
            self._fail(entry, reasons.reason("OUTPUT_INVALID", fault.message))

    def _fail(self, entry: Entry, error: reasons.Reason) -> None:
        entry.fail(error, opens_dead_letter=self._claimed.trigger_type != MANUAL)

    def _give_back(self, entry: Entry) -> None:
        """Stop between two steps: cancelled on request, or for another worker to go on."""
        if self._lease.is_cancel_requested:
            entry.cancel()
        else:
            entry.hand_over()

    async def _park(self, place: Place, mark: AttemptMark, failure: StepFailed) -> bool:
        """Record a failed attempt and the wait before the next; return False if it was the last."""
        policy = place.step.retry
        if not retry.may_retry(policy, mark.number, is_retryable=failure.is_retryable):
            return False
        entry = self._entry()
        wait = retry.backoff(policy, mark.number, ids.random_fraction())
        entry.park_for_retry(place, mark, _failed(failure), wait)
        await self._record(entry)
        return True

    async def _stop(self, place: Place, mark: AttemptMark) -> None:
        """Give up the step in hand: cancelled on request, or handed over to another worker."""
        if self._lease.is_lost:
            raise LeaseLost(f"The lease of execution {self._claimed.id} was lost in a step.")
        entry = self._entry()
        if self._lease.is_cancel_requested:
            entry.cancel_step(place, mark)
        else:
            entry.hand_over_step(place, mark, _WORKER_STOPPED)
        await self._record(entry)

    async def _cancel_untouched(self) -> None:
        """Cancel on request without running anything; an attempt cut off before is recorded."""
        entry = self._entry()
        if self._claimed.current_path is None:
            entry.cancel()
        else:
            entry.cancel_step(self._place(self._claimed.position), self._lost_mark())
        await self._record(entry)

    async def _record(self, entry: Entry) -> Recorded:
        """Commit an entry, whole even if this task is cancelled meanwhile; then ring."""
        self._lease.is_given_up = entry.status is not ExecutionStatus.RUNNING
        writing = ledger.submit(self._tools.committer, entry)
        while not writing.done():
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                self._absorb_cancellation()
        recorded = ledger.confirm(entry, writing.result())
        self._last_seq = recorded.last_seq
        if recorded.is_cancel_requested:
            self._lease.is_cancel_requested = True
        self._tools.feed.ring(self._claimed.id)
        return recorded

    def _absorb_cancellation(self) -> None:
        """Go on to record why the task was cancelled; the lease or the runner knows."""
        self._is_interrupted = True
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()

    def _must_stop(self) -> bool:
        asked = self._lease.is_lost or self._lease.is_cancel_requested
        return asked or self._is_interrupted or self._is_stopping()

    def _entry(self) -> Entry:
        claimed = self._claimed
        return Entry(claimed.id, claimed.fence, self._last_seq, claimed.position)

    def _place(self, position: int) -> Place:
        return Place(self._definition.steps[position], position)

    def _lost_mark(self) -> AttemptMark:
        claimed = self._claimed
        started_at = claimed.attempt_started_at or claimed.now
        return AttemptMark(
            claimed.current_attempt, started_at, claimed.step_started_at or started_at
        )

    def _executor(self, step: Step) -> StepExecutor:
        return self._tools.executors[step.type]

    def _context(self, place: Place, mark: AttemptMark, progress: Progress) -> StepContext:
        return StepContext(
            step=place.step,
            scope=progress.scope(),
            now=from_ms(mark.started_at),
            attempt=mark.number,
            idempotency_key=ids.idempotency_key(self._claimed.id, place.path),
            providers=self._providers,
        )

    def _internal(self, place: Place, bug: Exception) -> StepFailed:
        reference = ids.new_reference()
        log.error(
            "step.broken",
            execution_id=self._claimed.id,
            step_name=place.step.name,
            reference=reference,
            exc_info=bug,
        )
        message = f"Internal error; the log has it under reference {reference}."
        return StepFailed(message, reasons.INTERNAL)


class _Fenced:
    """A provider that is asked only while the lease surely holds.

    Since the step's own check other tasks had their turn, or the process may have been stopped.
    """

    def __init__(self, provider: Provider, lease: Lease) -> None:
        self._provider = provider
        self._lease = lease

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Return the model's answer. Raises `StepFailed`."""
        await self._lease.hold_or_hang()
        return await self._provider.complete(request)


_WORKER_LOST = reasons.reason(
    reasons.WORKER_LOST, "The worker was lost in the middle of the attempt.", is_retryable=True
)
_WORKER_STOPPED = reasons.reason(
    reasons.WORKER_STOPPED, "The worker was stopped and gave the attempt up.", is_retryable=True
)


def _mark(entry: Entry, recorded: Recorded) -> AttemptMark:
    """Return the mark of the attempt that an entry has begun."""
    step_started_at = entry.step_started_at or recorded.at
    return AttemptMark(entry.current_attempt, recorded.at, step_started_at)


def _ended(done: Done) -> Ended:
    usage = Usage(done.prompt_tokens, done.completion_tokens, done.cost_micros)
    outcome = Outcome(StepStatus.COMPLETED, output=done.output)
    return Ended(outcome, done.input, done.model_calls, usage)


def _failed(failure: StepFailed) -> Ended:
    calls = failure.model_calls if isinstance(failure, ModelsFailed) else ()
    return Ended(Outcome(StepStatus.FAILED, error=reasons.reason_of(failure)), model_calls=calls)
