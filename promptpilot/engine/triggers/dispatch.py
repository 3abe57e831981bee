"""Tells EVENT triggers of platform events, each trigger of each event at most once.

Rules: the id of the firing is made of the event's and the trigger's, so whoever tells again finds
it. What one trigger meets keeps no other from being told.

After a crash: an event that is not marked as dispatched is told again, to those who were not yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from promptpilot import ids
from promptpilot.clock import Clock, to_ms
from promptpilot.engine.expression import ExpressionFailed, evaluate_boolean, parse
from promptpilot.engine.launch import FiringDraft, Launcher, LaunchRequest
from promptpilot.engine.ports import Waker
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.configs import input_names
from promptpilot.engine.triggers.event_configs import matches_event_type
from promptpilot.engine.triggers.events import (
    MAX_DEPTH,
    Dispatched,
    EventDraft,
    EventStore,
    shown_event,
)
from promptpilot.engine.triggers.firing import Ending, Firings, ending_of, kept_payload
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.triggers.mapping import map_event
from promptpilot.engine.triggers.receiver import Receiver, find_listening
from promptpilot.engine.versions import Versions
from promptpilot.errors import CallerError, InvalidStatus, Unavailable
from promptpilot.models import Firing, PlatformEvent
from promptpilot.models.database import Database, is_transient

LOOP_GUARD: Final = "LOOP_GUARD"

_PAGE: Final = 200
#: Triggers that are told at the same time, so that their starts share commits.
_TOGETHER: Final = 20
#: Whoever stored an event has so long to tell it before others do.
_PATIENCE: Final = timedelta(seconds=5)
_MAX_PENDING: Final = 100

_STARTED = """
SELECT f.execution_id FROM triggers t
JOIN firings f ON f.trigger_id = t.id AND f.dedupe_key = $2 AND f.outcome IN ('STARTED', 'QUEUED')
WHERE t.workspace_id = $1 AND t.type = 'EVENT' ORDER BY t.id
"""
_DONE = "UPDATE platform_events SET dispatched_at = $2 WHERE id = $1 AND dispatched_at IS NULL"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """An event, as expressions read it, and a trigger that listens to it."""

    event: PlatformEvent
    shown: dict[str, Any]
    receiver: Receiver

    @property
    def firing_id(self) -> str:
        """The id of the firing that tells what came of it."""
        return ids.telling_id(self.event.id, self.receiver.id)


class Dispatcher:
    """Stores what callers dispatch, and tells triggers of it. Any number may tell at any time."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        versions: Versions,
        store: EventStore,
        waker: Waker,
        clock: Clock,
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._versions = versions
        self._store = store
        self._waker = waker
        self._clock = clock
        self._firings = Firings(database, clock)

    async def dispatch(self, principal: Principal, draft: EventDraft) -> Dispatched:
        """Store an event and tell it; `Engine.dispatch_event` says what is raised."""
        event, is_new = await self._store.store(principal, draft)
        if event.dispatched_at is None:
            await self.tell(event)
        started = await self._database.fetch(_STARTED, event.workspace_id, event.id)
        return Dispatched(tuple(row["execution_id"] for row in started), is_new, event.id)

    async def tell(self, event: PlatformEvent) -> None:
        """Tell every trigger that listens and was not told yet; then mark the event as dispatched.

        Raises what cuts off the database; then some were told, and telling again goes on.
        """
        async for group in self._listening(event):
            telling = [self._tell_one(told) for told in group]
            outcomes = await asyncio.gather(*telling, return_exceptions=True)
            if any(outcome is True for outcome in outcomes):
                self._waker.wake()
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        now = to_ms(self._clock.now())
        await self._database.retry(lambda: self._database.execute(_DONE, event.id, now))

    async def finish_pending(self) -> int:
        """Tell events that whoever stored them has not told in time; return how many were told."""
        before = self._clock.now() - _PATIENCE
        pending = PlatformEvent.filter(dispatched_at__isnull=True, created_at__lte=before)
        events = await pending.order_by("created_at").limit(_MAX_PENDING)
        for event in events:
            await self.tell(event)
        return len(events)

    async def _listening(self, event: PlatformEvent) -> AsyncIterator[Sequence[_Told]]:
        """Yield groups of the triggers that listen to the event and were not told yet."""
        shown = shown_event(event)
        last = ""
        while page := await find_listening(self._database, event.workspace_id, last, _PAGE):
            last = page[-1].id
            found = [_Told(event, shown, each) for each in page if _is_listening(each, event)]
            known = await Firing.filter(id__in=[each.firing_id for each in found]).only("id")
            told_ids = {firing.id for firing in known}
            new = [each for each in found if each.firing_id not in told_ids]
            for start in range(0, len(new), _TOGETHER):
                yield new[start : start + _TOGETHER]

    async def _tell_one(self, told: _Told) -> bool:
        """Start the trigger's workflow or record why not; return whether it was started."""
        draft = _draft(told)
        try:
            ending = self._refusal(told)
            if ending is None:
                return await self._start(told, draft)
        except CallerError as fault:
            ending = ending_of(fault)
        except Exception as error:
            if isinstance(error, Unavailable) or is_transient(error):
                raise
            # What one trigger meets must keep no other from being told, nor come back forever.
            log.exception("event.stuck", event_id=told.event.id, trigger_id=told.receiver.id)
            ending = _failure(FiringOutcome.REJECTED, "INTERNAL", "A fault of ours; see the log.")
        await self._firings.record(told.receiver, draft, ending)
        return False

    def _refusal(self, told: _Told) -> Ending | None:
        """Return why the event starts nothing here; None if it does. Raises `InvalidStatus`."""
        if not told.receiver.is_on:
            raise InvalidStatus("The trigger or its workflow is switched off.", "INACTIVE")
        test = told.receiver.config["filter"]
        try:
            scope = {"event": told.shown}
            if test is not None and not evaluate_boolean(parse(test), scope, self._clock.now()):
                return Ending(FiringOutcome.FILTERED)
        except ExpressionFailed as failure:
            return _failure(FiringOutcome.FILTERED, failure.error_code, failure.message)
        if told.event.depth > MAX_DEPTH:
            message = f"More than {MAX_DEPTH} events have started one another; this looks endless."
            return _failure(FiringOutcome.REJECTED, LOOP_GUARD, message)
        return None

    async def _start(self, told: _Told, draft: FiringDraft) -> bool:
        event, receiver = told.event, told.receiver
        request = LaunchRequest(
            target=receiver.target,
            input=receiver.input_with(await self._input(told)),
            trigger_type=TriggerType.EVENT,
            trigger_id=receiver.id,
            trigger_data={"headers": {}, "payload": event.payload},
            firing=draft,
            depth=event.depth,
            input_path=("input",),
        )
        return (await self._launcher.launch(request)).is_new

    async def _input(self, told: _Told) -> dict[str, Any]:
        mapping = told.receiver.config["input_mapping"]
        if mapping:
            return map_event(mapping, told.shown, self._clock.now())
        definition = await self._versions.get(told.receiver.target.version_id)
        return {"payload": told.event.payload} if "payload" in input_names(definition) else {}


def _is_listening(receiver: Receiver, event: PlatformEvent) -> bool:
    is_meant = event.workflow_id is None or event.workflow_id == receiver.target.workflow_id
    return is_meant and matches_event_type(receiver.config["event_type"], event.type)


def _draft(told: _Told) -> FiringDraft:
    return FiringDraft(
        id=told.firing_id,
        trigger_id=told.receiver.id,
        dedupe_key=told.event.id,
        body_sha256=told.event.request_sha256,
        payload=kept_payload(told.event.payload),
        actor_id=told.event.actor_id,
    )


def _failure(outcome: FiringOutcome, code: str, message: str) -> Ending:
    return Ending(
        outcome,
        error={"code": code, "message": message[:500], "isRetryable": False, "details": {}},
    )
