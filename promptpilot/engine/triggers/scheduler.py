"""Fires SCHEDULED triggers when their times have come. Any number of schedulers may run.

Rules:
- Times are handled in their order; each gets one firing, whoever handles it and however often.
- A trigger moves on when all its times up to now are handled; see `agenda`.
- What cannot start is recorded with the reason.

After a crash: the trigger has not moved on, so the next scheduler handles the same times again.
Those that have a firing already stay as they are.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.control import Control
from promptpilot.engine.launch import FiringDraft, Launcher, LaunchRequest
from promptpilot.engine.ports import Feed, Waker
from promptpilot.engine.triggers.agenda import Agenda, Due, Moment
from promptpilot.engine.triggers.firing import Ending, ending_of
from promptpilot.engine.triggers.kinds import FiringOutcome, MissedRunPolicy, TriggerType
from promptpilot.engine.triggers.missed import LATE_AFTER, WINDOW, sort_out
from promptpilot.engine.triggers.overlap import Overlaps
from promptpilot.engine.triggers.queued import QueuedFirings
from promptpilot.engine.triggers.receiver import Receiver
from promptpilot.engine.triggers.schedule import Schedule
from promptpilot.engine.triggers.schedule_configs import load_schedule
from promptpilot.engine.triggers.scheduled_firings import ScheduledFirings, left_out
from promptpilot.errors import CallerError, InvalidInput, Unavailable
from promptpilot.instants import instant_text
from promptpilot.models.database import Database

#: The longest time between two ticks.
MAX_PAUSE: Final = timedelta(seconds=1)
#: Times before the window are counted up to here; there may be more.
MAX_COUNTED: Final = 10_000
#: More than a window holds: a schedule fires at most once a minute.
_MAX_IN_WINDOW: Final = 2_000
_MISSED: Final = left_out(
    FiringOutcome.MISSED,
    "MISSED",
    f"No scheduler ran within {LATE_AFTER.seconds} seconds of this time, and missedRunPolicy "
    "leaves it out.",
)

log = structlog.get_logger(__name__)


class Scheduler:
    """Fires what is due.

    Instants come from the database's own clock, unless a `clock` is given (tests move one).
    """

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        control: Control,
        waker: Waker,
        feed: Feed,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._waker = waker
        self._is_stopping = False
        self.agenda = Agenda(database, clock)
        self._firings = ScheduledFirings(database)
        self._queued = QueuedFirings(database, launcher)
        self._overlaps = Overlaps(database, control, feed, self._firings, self._queued)

    async def tick(self) -> float:
        """Fire what is due and start what may; return after how many seconds there may be more.

        Raises Unavailable when the database does not answer. May be called, cancelled and called
        again at any time.
        """
        moment = await self.agenda.look()
        if moment.has_queue and not self._is_stopping and await self._queued.start_next():
            self._waker.wake()
        is_whole = True
        if moment.is_due:
            is_whole = await self._fire_due(moment.now)
            moment = await self.agenda.look()
        return _pause(moment) if is_whole else MAX_PAUSE.total_seconds()

    def stop(self) -> None:
        """Begin no firing any more; what is in hand is finished."""
        self._is_stopping = True

    async def recompute(self) -> int:
        """Correct next runs that were computed under other rules of time zones; return how many.

        To be called when a process starts, whose rules may be newer than those before.
        """
        count, last = 0, ""
        now = (await self.agenda.look()).now
        while page := await self.agenda.ahead(now, last):
            last = page[-1].id
            for due in page:
                count += await self._recompute(due, now)
        return count

    async def _recompute(self, due: Due, now: datetime) -> bool:
        schedule = await self._schedule_of(due, now)
        if schedule is None:
            return True
        next_at = schedule.next_after(now)
        return next_at != due.since and await self.agenda.move_on(due, next_at, None)

    async def _fire_due(self, now: datetime) -> bool:
        """Handle every due trigger, page by page; return whether nothing went wrong."""
        is_whole, last = True, None
        while page := await self.agenda.due(now, last):
            last = page[-1]
            if self._is_stopping:
                return False
            handling = [self._handle(due, now) for due in page]
            outcomes = await asyncio.gather(*handling, return_exceptions=True)
            for due, outcome in zip(page, outcomes, strict=True):
                is_whole &= _has_worked(due, outcome)
        return is_whole

    async def _handle(self, due: Due, now: datetime) -> None:
        """Give every time of a trigger up to now its firing, then move the trigger on."""
        schedule = await self._schedule_of(due, now)
        kept = None if schedule is None else await self._drop_old(due, schedule, now)
        if schedule is None or kept is None:
            return
        instants = await _between(schedule, kept.since, now, _MAX_IN_WINDOW)
        policy = MissedRunPolicy(due.receiver.config["missed_run_policy"])
        backlog = sort_out(instants, now, policy)
        await self._firings.record(due.receiver, backlog.missed, _MISSED, now)
        for instant in backlog.runs:
            if self._is_stopping:
                return
            await self._fire(due.receiver, instant, now)
        handled = instants[-1] if instants else None
        await self.agenda.move_on(kept, schedule.next_after(now), handled)

    async def _schedule_of(self, due: Due, now: datetime) -> Schedule | None:
        """Return when a trigger fires; pause it if that cannot be told any more."""
        try:
            return load_schedule(due.receiver.config)
        except InvalidInput as fault:
            reason = f"When it fires cannot be computed any more: {fault.message}"
            await self.agenda.pause(due, reason, now)
            log.warning("trigger.paused", trigger_id=due.id, reason=fault.message)
            return None

    async def _drop_old(self, due: Due, schedule: Schedule, now: datetime) -> Due | None:
        """Record the times before the window as one; return the trigger moved on behind them.

        Returns None if it was changed meanwhile.
        """
        window = now - WINDOW
        if due.since >= window:
            return due
        old = await _between(schedule, due.since, _before(window), MAX_COUNTED)
        next_at = schedule.next_after(_before(window))

        async def store() -> bool:
            async with self._database.transaction():
                has_moved = await self.agenda.move_on(due, next_at, old[-1] if old else None)
                if has_moved:
                    await self._firings.record(due.receiver, old[:1], _long_missed(old), now)
                return has_moved

        has_moved = await self._database.retry(store)
        return replace(due, since=next_at) if has_moved and next_at is not None else None

    async def _fire(self, receiver: Receiver, instant: datetime, now: datetime) -> None:
        """Start an execution for an instant, or record why there is none."""
        if receiver.is_on and not await self._overlaps.admit(receiver, instant, now):
            return
        request = LaunchRequest(
            target=receiver.target,
            input=receiver.input,
            trigger_type=TriggerType.SCHEDULED,
            trigger_id=receiver.id,
            trigger_data={"scheduledFor": instant_text(instant)},
            firing=FiringDraft(
                id=ids.new_id(ids.Kind.FIRING), trigger_id=receiver.id, scheduled_for=instant
            ),
            input_path=("input",),
        )
        try:
            launched = await self._launcher.launch(request)
        except CallerError as fault:
            await self._firings.record(receiver, [instant], ending_of(fault), now)
            return
        if launched.is_new:
            self._waker.wake()


def _has_worked(due: Due, outcome: BaseException | None) -> bool:
    """Log what went wrong with one trigger, which keeps no other from firing."""
    if outcome is None:
        return True
    if isinstance(outcome, Unavailable) or not isinstance(outcome, Exception):
        raise outcome
    log.error("trigger.not_handled", trigger_id=due.id, exc_info=outcome)
    return False


def _long_missed(old: list[datetime]) -> Ending:
    """Return what came of times before the window. They are one firing, that of the first one."""
    count, is_exact = len(old), len(old) < MAX_COUNTED
    message = (
        f"No scheduler ran for {'' if is_exact else 'at least '}{count} times from this one on, "
        f"which are more than {WINDOW // timedelta(hours=1)} hours ago."
    )
    until = instant_text(old[-1]) if old else None
    return left_out(
        FiringOutcome.MISSED, "MISSED", message, missedCount=count, isExact=is_exact, until=until
    )


async def _between(
    schedule: Schedule, first: datetime, last: datetime, limit: int
) -> list[datetime]:
    """Return the times from `first` to `last`; a long backlog may not hold up the event loop."""
    return await asyncio.to_thread(schedule.between, _before(first), last, limit)


def _before(instant: datetime) -> datetime:
    return instant - datetime.resolution


def _pause(moment: Moment) -> float:
    """Return for how many seconds there is nothing to do, at most a second."""
    if moment.next_at is None:
        return MAX_PAUSE.total_seconds()
    return max(min(moment.next_at - moment.now, MAX_PAUSE), timedelta(0)).total_seconds()
