"""Tries workflows without storing anything: the same decisions and work, no row, event or bell.

Rules: a preview reads, and writes nothing, not even that a credential was used. In SIMULATE mode
nothing leaves the server, and equal requests at one instant have equal answers but for the time
they took. A preview has no name that anything else could refer to.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from promptpilot import ids
from promptpilot.clock import Clock, to_ms
from promptpilot.engine import stand_ins
from promptpilot.engine.attempt import Attempts
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.definition import Definition
from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.gathering import moved
from promptpilot.engine.launch import Launcher
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.ledger_rows import Usage
from promptpilot.engine.ownership import find
from promptpilot.engine.pins import Pins, current_pins, stored_pins
from promptpilot.engine.preview_requests import (
    DEFINITION_PATH,
    INPUT_PATH,
    PreviewMode,
    PreviewRequest,
    check_documents,
    check_names,
    last_position,
    samples_for,
)
from promptpilot.engine.principal import Principal, Scope, needs
from promptpilot.engine.rehearsal import Part, Rehearsal, Rehearsed, Rest, total
from promptpilot.engine.scope import Progress
from promptpilot.engine.story import facts
from promptpilot.engine.tools import Tools
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.workflows import Workflows
from promptpilot.models import Workflow
from promptpilot.models.columns import encode_json

_WORKFLOW_PATH: Final = ("input", "target", "workflowId")
_NOBODY: Final = "0" * 26
_LEASE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Preview:
    """A workflow tried out."""

    input: dict[str, Any]
    result: Rehearsed
    usage: Usage
    duration_ms: int
    warnings: tuple[str, ...]
    used_sample_data: bool


@dataclass(frozen=True, slots=True)
class _Subject:
    """The workflow that is tried."""

    workflow_id: str
    version_id: str
    revision: int
    definition: Definition


@dataclass(frozen=True, slots=True)
class _Filled:
    """The input that is run with, the names of what was made up, and the versions of prompts."""

    values: dict[str, Any]
    made_up: tuple[str, ...]
    pins: Pins


@dataclass(frozen=True, slots=True)
class _Stage:
    """What a mode changes: the tools, the clock, the rests, and who the execution is."""

    tools: Tools
    clock: Clock
    rest: Rest
    execution_id: str


class _StoppedClock:
    """Tells one instant, so that nothing in a preview depends on how long it took."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the instant."""
        return self._at


class Previews:
    """The verb of previews."""

    def __init__(
        self,
        workflows: Workflows,
        launcher: Launcher,
        tools: Tools,
        clock: Clock,
        limit: timedelta = timedelta(seconds=120),
    ) -> None:
        self._workflows = workflows
        self._launcher = launcher
        self._tools = tools
        self._clock = clock
        self._limit = limit

    @needs(Scope.READ)
    async def preview(self, principal: Principal, request: PreviewRequest) -> Preview:
        """Run a workflow in memory, up to the step that is named, within the limit.

        Raises NotFound, InvalidInput, InvalidMany or LimitExceeded for what cannot be tried at
        all, and PermissionDenied in LIVE mode without the scope RUN; a step that fails is a
        result. A cancelled call closes what it has opened at once.
        """
        began = monotonic()
        if request.mode is PreviewMode.LIVE:
            principal.require(Scope.RUN)
        check_documents(request)
        subject = await self._subject(principal, request.target)
        check_names(subject.definition, request)
        filled = await self._filled(principal, subject.definition, request)
        result = await self._rehearsed(principal, request, subject, filled)
        return Preview(
            filled.values,
            result,
            total([step.usage for step in result.steps]),
            round((monotonic() - began) * 1000),
            (*_told(filled.made_up), *result.warnings),
            bool(filled.made_up),
        )

    async def _subject(self, principal: Principal, target: str | WorkflowDraft) -> _Subject:
        if isinstance(target, WorkflowDraft):
            with moved(DEFINITION_PATH):
                definition = await self._workflows.try_draft(principal, target)
            kinds = ids.Kind.WORKFLOW, ids.Kind.WORKFLOW_VERSION
            return _Subject(f"{kinds[0]}_{_NOBODY}", f"{kinds[1]}_{_NOBODY}", 1, definition)
        row = await find(Workflow, ids.Kind.WORKFLOW, principal, target, _WORKFLOW_PATH)
        definition = await self._tools.versions.get(row.current_version_id)
        return _Subject(row.id, row.current_version_id, row.revision, definition)

    async def _filled(
        self, principal: Principal, definition: Definition, request: PreviewRequest
    ) -> _Filled:
        """Return the input with defaults and, if asked for, samples for what is missing."""
        made_up = samples_for(definition, request.input) if request.uses_sample_data else {}
        values = self._launcher.filled(definition, {**made_up, **request.input}, INPUT_PATH)
        pins = await current_pins(principal.workspace_id, definition)
        return _Filled(values, tuple(made_up), pins)

    async def _rehearsed(
        self, principal: Principal, request: PreviewRequest, subject: _Subject, filled: _Filled
    ) -> Rehearsed:
        stage = self._stage(request.mode)
        claimed = _claimed(principal, subject, filled, stage)
        lease = Lease(claimed, _LEASE, monotonic())
        part = Part(
            last=last_position(subject.definition, request.to_step_name),
            limit=self._limit,
            pins=request.pinned_outputs,
        )
        attempts = Attempts(claimed, lease, stage.tools)
        rehearsal = Rehearsal(subject.definition, attempts, part, stage.clock, stage.rest)
        return await rehearsal.run(Progress(filled.values, facts(claimed)))

    def _stage(self, mode: PreviewMode) -> _Stage:
        match mode:
            case PreviewMode.SIMULATE:
                clock = _StoppedClock(self._clock.now())
                nobody = f"{ids.Kind.EXECUTION}_{_NOBODY}"
                return _Stage(stand_ins.simulated(self._tools), clock, _rest_not, nobody)
            case PreviewMode.LIVE:
                tools = stand_ins.live(self._tools)
                return _Stage(tools, self._clock, asyncio.sleep, ids.new_id(ids.Kind.EXECUTION))
            case _:
                assert_never(mode)


async def _rest_not(seconds: float) -> None:
    await asyncio.sleep(0)


def _claimed(principal: Principal, subject: _Subject, filled: _Filled, stage: _Stage) -> Claimed:
    """Return the execution that a preview pretends to hold; it is stored nowhere."""
    now = to_ms(stage.clock.now())
    seconds = subject.definition.execution_timeout_seconds
    return Claimed(
        id=stage.execution_id,
        workspace_id=principal.workspace_id,
        workflow_id=subject.workflow_id,
        workflow_version_id=subject.version_id,
        workflow_revision=subject.revision,
        fence=0,
        position=0,
        current_path=None,
        current_attempt=0,
        step_started_at=None,
        attempt_started_at=None,
        crashes=0,
        last_seq=0,
        is_cancel_requested=False,
        is_pause_requested=False,
        deadline_at=None if seconds is None else now + seconds * 1000,
        waited_for=None,
        trigger_type=TriggerType.MANUAL.value,
        trigger_id=None,
        trigger_data=None,
        prompt_versions=stored_pins(filled.pins),
        input=encode_json(filled.values),
        created_at=now,
        now=now,
    )


def _told(made_up: tuple[str, ...]) -> tuple[str, ...]:
    return (f"Made up: {', '.join(made_up)}.",) if made_up else ()
