"""Runs a final execution again, as a new one that takes over the steps that ended well.

Rules: the original stays as it is. What is taken over is stored with the new execution in one
commit, is not computed again and costs nothing; `reused_from` names the step execution that did
the work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from promptpilot import ids
from promptpilot.engine.beginning import STEP_PATH, Beginning, find_beginning
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Columns, Opening
from promptpilot.engine.definition import Definition, VariableKind
from promptpilot.engine.events import step_changed
from promptpilot.engine.fields import check_key
from promptpilot.engine.launch import (
    Idempotency,
    Launched,
    Launcher,
    deadline_in_ms,
    key_columns,
    request_digest,
)
from promptpilot.engine.ledger_rows import event_row
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.originals import Original, read_original
from promptpilot.engine.pins import Pins, current_pins, pinned_version, read_pins, stored_pins
from promptpilot.engine.principal import Principal
from promptpilot.engine.received import reads_trigger_data
from promptpilot.engine.scope import SkipReason
from promptpilot.engine.versions import Versions
from promptpilot.errors import InvalidStatus, NotFound
from promptpilot.instants import instant_text
from promptpilot.models import Firing
from promptpilot.models.columns import check_json, encode_json, load_json
from promptpilot.models.database import Database

_OPERATION = "retryExecution"
_VERSION_PATH = ("input", "useNewestVersion")
#: What stands at the end of a payload that was too large to be kept whole.
_CUT = re.compile(r"… \(cut; \d+ bytes in all\)\Z")

_KEPT = ("workspace_id", "workflow_id", "trigger_type", "trigger_id", "firing_id")


@dataclass(frozen=True, slots=True)
class RepeatRequest:
    """A final execution to run again, from a step on; None begins where it went wrong."""

    execution_id: str
    from_step_name: str | None = None
    use_newest_version: bool = False
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Goal:
    """What the new execution runs: a version, and what it is given."""

    version_id: str
    revision: int
    definition: Definition
    input: str
    trigger_data: str | None


class Repeats:
    """Repeats executions."""

    def __init__(
        self, database: Database, committer: Committer, launcher: Launcher, versions: Versions
    ) -> None:
        self._database = database
        self._committer = committer
        self._launcher = launcher
        self._versions = versions

    async def repeat(self, principal: Principal, request: RepeatRequest) -> Launched:
        """Store a new execution, or find the one that the same key started.

        Raises `NotFound`, also for another workspace's; `InvalidStatus` while the original is not
        final, or when its workflow was deleted and its newest version is asked for; `InvalidInput`
        for the step; `InvalidMany` for an input that the newest version does not take; and
        `IdempotencyMismatch`. Then nothing was stored.
        """
        check_key(request.idempotency_key, ("input", "idempotencyKey"))
        check_json(request.from_step_name, STEP_PATH)
        given = _idempotency(request)
        if given is not None:
            first = await self._launcher.find_first(principal.workspace_id, given)
            if first is not None:
                return first
        opening = await self._opening(principal, request)
        if given is None:
            await self._committer.open(opening)
            return Launched(opening.id, is_new=True)
        keyed = replace(opening, idempotency=key_columns(principal.workspace_id, given))
        if await self._committer.open(keyed) is None:
            return await self._launcher.get_first(principal.workspace_id, given)
        return Launched(opening.id, is_new=True)

    async def replay(
        self, principal: Principal, execution_id: str, dead_letter_id: str
    ) -> Launched | None:
        """Repeat the execution of a dead letter; None, and nothing stored, if it is not open.

        Raises `NotFound`, and `InvariantBroken` if its version cannot be read.
        """
        opening = await self._opening(principal, RepeatRequest(execution_id))
        if await self._committer.open(replace(opening, dead_letter_id=dead_letter_id)) is None:
            return None
        return Launched(opening.id, is_new=True)

    async def _opening(self, principal: Principal, request: RepeatRequest) -> Opening:
        original = await read_original(
            self._database, self._versions, principal.workspace_id, request.execution_id
        )
        goal = _same(original)
        if request.use_newest_version:
            goal = await self._newest(original)
        beginning = find_beginning(original.record, goal.definition, request.from_step_name)
        made = ids.new_id(ids.Kind.EXECUTION)
        steps = _steps(made, original, goal.definition, beginning)
        known = _kept_pins(original, beginning, request)
        pins = await current_pins(principal.workspace_id, goal.definition, known)
        asked = {"started_by": principal.user_id, "idempotency_key": request.idempotency_key}
        return Opening(
            {**_columns(made, original, goal), **asked, "prompt_versions": stored_pins(pins)},
            deadline_in_ms=deadline_in_ms(goal.definition),
            position=beginning.position,
            depth=original.execution["depth"],
            steps=steps,
            events=_events(made, steps),
        )

    async def _newest(self, original: Original) -> _Goal:
        row = original.execution
        try:
            target = await self._launcher.target(row["workspace_id"], row["workflow_id"])
        except NotFound as fault:
            message = "The workflow was deleted; only the version of then can be run again."
            raise InvalidStatus(message, "DELETED", _VERSION_PATH) from fault
        definition = await self._versions.get(target.version_id)
        if target.version_id == row["workflow_version_id"]:
            return replace(_same(original), revision=target.revision)
        return _Goal(
            target.version_id,
            target.revision,
            definition,
            self._input(row, definition),
            await _trigger_data(row, definition),
        )

    def _input(self, row: Mapping[str, Any], definition: Definition) -> str:
        """Return the original's input as another version takes it; what it has no name for goes."""
        declared = {each.name for each in definition.variables_of(VariableKind.INPUT)}
        values = {
            name: value for name, value in load_json(row["input"]).items() if name in declared
        }
        return encode_json(self._launcher.filled(definition, values, _VERSION_PATH))


async def _trigger_data(row: Mapping[str, Any], definition: Definition) -> str | None:
    """Return what steps may read of the trigger; what was not stored then is in the firing."""
    stored: str | None = row["trigger_data"]
    if stored is not None or row["firing_id"] is None or not reads_trigger_data(definition):
        return stored
    firing = await Firing.get_or_none(id=row["firing_id"])
    payload = firing.payload if firing is not None else None
    if isinstance(payload, str) and _CUT.search(payload):
        message = (
            "The newest version reads what the trigger received, which was too large to be kept; "
            "repeat the execution under its own version."
        )
        raise InvalidStatus(message, "CUT", _VERSION_PATH)
    scheduled_for = firing.scheduled_for if firing is not None else None
    due = {} if scheduled_for is None else {"scheduledFor": instant_text(scheduled_for)}
    return encode_json({"payload": payload, "headers": None, **due})


def _same(original: Original) -> _Goal:
    row = original.execution
    return _Goal(
        row["workflow_version_id"],
        row["workflow_revision"],
        original.definition,
        row["input"],
        row["trigger_data"],
    )


def _idempotency(request: RepeatRequest) -> Idempotency | None:
    if request.idempotency_key is None:
        return None
    asked = (request.execution_id, request.from_step_name, request.use_newest_version)
    return Idempotency(_OPERATION, request.idempotency_key, request_digest(json.dumps(asked)))


def _columns(id: str, original: Original, goal: _Goal) -> Columns:
    return {
        "id": id,
        **{name: original.execution[name] for name in _KEPT},
        "workflow_version_id": goal.version_id,
        "workflow_revision": goal.revision,
        "status": ExecutionStatus.PENDING.value,
        "wait_reason": None,
        "trigger_data": goal.trigger_data,
        "retry_of_id": original.execution["id"],
        "input": goal.input,
    }


def _kept_pins(original: Original, beginning: Beginning, request: RepeatRequest) -> Pins:
    """Return the versions of prompts that stay as they were.

    All of them under the same version; of the newest one, those of the steps that are taken over.
    """
    pins = read_pins(original.execution["prompt_versions"])
    if not request.use_newest_version:
        return pins
    taken = original.definition.steps[: beginning.taken]
    ran = {step.name: pinned_version(step.config, step.name, pins) for step in taken}
    return {name: version_id for name, version_id in ran.items() if version_id is not None}


def _steps(
    id: str, original: Original, definition: Definition, beginning: Beginning
) -> tuple[Columns, ...]:
    """Return the rows of the steps before the beginning."""
    taken = [_taken(id, original, row) for row in original.steps[: beginning.taken]]
    passed = range(beginning.taken, beginning.position)
    return (*taken, *(_left_out(id, definition, position) for position in passed))


def _taken(id: str, original: Original, row: Mapping[str, Any]) -> Columns:
    source = ids.step_execution_id(original.execution["id"], row["path"])
    return {**row, **_free(id), "reused_from": row["reused_from"] or source}


def _left_out(id: str, definition: Definition, position: int) -> Columns:
    step = definition.steps[position]
    nothing = ("attempt_started_at", "input", "output", "output_bytes", "error", "reused_from")
    return {
        **dict.fromkeys(nothing),
        **_free(id),
        "path": str(position),
        "position": position,
        "step_id": step.id,
        "step_name": step.name,
        "step_type": step.type.value,
        "status": StepStatus.SKIPPED.value,
        "skip_reason": SkipReason.BRANCH.value,
    }


def _free(id: str) -> Columns:
    """Return the columns that say of which execution a row is, and that nothing was done."""
    return {
        "execution_id": id,
        "attempt": 0,
        "fence": 0,
        "started_at": None,
        "model_calls": None,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost_micros": 0,
    }


def _events(id: str, steps: tuple[Columns, ...]) -> tuple[Columns, ...]:
    drafts = [
        step_changed(row["path"], 0, StepStatus.PENDING, StepStatus(row["status"])) for row in steps
    ]
    return tuple(event_row(id, number, draft) for number, draft in enumerate(drafts, start=2))
