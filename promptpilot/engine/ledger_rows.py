"""What the ledger's entries are made of, and the rows that they become.

Units: instants are milliseconds since the epoch. A row says `…_in_ms` where its instant counts
from the commit, which has the database's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptpilot.engine.commits.items import Columns
from promptpilot.engine.definition import Step
from promptpilot.engine.events import EventDraft
from promptpilot.engine.lifecycle import StepStatus, WaitReason
from promptpilot.engine.previews import INLINE_BYTES, PREVIEW_BYTES, cut
from promptpilot.engine.scope import Outcome
from promptpilot.errors import LimitExceeded
from promptpilot.models.columns import dump_json, encode_json

#: Of a call of a model, what may be large.
_LARGE: Final = ("outputText", "toolCalls")
#: The path under which an execution's own output is kept aside.
EXECUTION_OUTPUT: Final = "$"
#: Of one output, of a step or of an execution.
MAX_OUTPUT_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and millionths of a dollar; a cost of None is unknown."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int | None = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A step of an execution: its definition, its position and its path."""

    step: Step
    position: int

    @property
    def path(self) -> str:
        """Where the step is in the execution; stable and unique from its first start."""
        return path_of(self.position)


@dataclass(frozen=True, slots=True)
class AttemptMark:
    """An attempt that began: its number, its instant and that of the step's first attempt (ms)."""

    number: int
    started_at: int
    step_started_at: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What a step leaves behind when it ends. `output_text` is the output's JSON, if at hand."""

    outcome: Outcome
    input: Any = None
    model_calls: Sequence[dict[str, Any]] = ()
    usage: Usage = Usage()
    output_text: str | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What is known of an attempt that did not end by itself: its input and the calls made."""

    input: Any = None
    model_calls: Sequence[dict[str, Any]] = ()
    usage: Usage = Usage()

    def ended(self, outcome: Outcome) -> Ended:
        """Return it as what a step leaves behind that ends so."""
        return Ended(outcome, self.input, self.model_calls, self.usage)


#: Of an attempt of which nothing is known.
NOTHING_LEFT = Left()


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step waits for: until an instant, or for some time; neither means without end."""

    reason: WaitReason
    until_ms: int | None = None
    in_ms: int | None = None
    input: Any = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An output as a row keeps it: its text, or a preview of what is kept aside."""

    text: str | None
    size: int | None = None
    aside: Columns | None = None


def path_of(position: int) -> str:
    """Return where the step at a position of its definition is in an execution."""
    return str(position)


def output_text(value: Any) -> str:
    """Return the JSON text of an output.

    Raises `InvalidInput` for what is not JSON and `LimitExceeded` for more than 16 MiB.
    """
    text = dump_json(value, ("output",))
    if _size(text) > MAX_OUTPUT_BYTES:
        message = f"The output is larger than {MAX_OUTPUT_BYTES // 1024**2} MiB."
        raise LimitExceeded(message, MAX_OUTPUT_BYTES, ("output",))
    return text


def stored_output(execution_id: str, path: str, value: Any, text: str | None = None) -> Stored:
    """Return how to store an output; more than 64 KiB are kept aside. `text` is its JSON."""
    if value is None:
        return Stored(None)
    text = text or encode_json(value)
    if _size(text) <= INLINE_BYTES:
        return Stored(text)
    body = text.encode()
    aside = {
        "execution_id": execution_id,
        "path": path,
        "sha256": hashlib.sha256(body).hexdigest(),
        "body": text,
    }
    return Stored(encode_json(cut(value, PREVIEW_BYTES)), len(body), aside)


def ended_row(
    execution_id: str, place: Place, ended: Ended, mark: AttemptMark | None, output: Stored
) -> Columns:
    """Return the row of a step that ended; without a mark it never began."""
    return {
        **_step_columns(execution_id, place),
        "status": ended.outcome.status.value,
        "skip_reason": ended.outcome.skip_reason,
        "attempt": mark.number if mark else 0,
        "started_at": mark.step_started_at if mark else None,
        "attempt_started_at": mark.started_at if mark else None,
        "input": shown_text(ended.input),
        "output": output.text,
        "output_bytes": output.size,
        "error": json_text(ended.outcome.error),
        "model_calls": calls_text(ended.model_calls),
        "prompt_tokens": ended.usage.prompt_tokens,
        "completion_tokens": ended.usage.completion_tokens,
        "cost_micros": ended.usage.cost_micros,
    }


def waiting_row(execution_id: str, place: Place, mark: AttemptMark, wait: Wait) -> Columns:
    """Return the row of a step that waits."""
    return {
        **_step_columns(execution_id, place),
        "status": StepStatus.WAITING.value,
        "attempt": mark.number,
        "started_at": mark.step_started_at,
        "attempt_started_at": mark.started_at,
        "wake_at": wait.until_ms,
        "wake_in_ms": wait.in_ms,
        "input": shown_text(wait.input),
        "prompt_tokens": 0,
        "completion_tokens": 0,
    }


def attempt_row(
    execution_id: str, place: Place, mark: AttemptMark, ended: Ended, next_in_ms: int | None
) -> Columns:
    """Return the row of an attempt that ended without ending its step."""
    return {
        "execution_id": execution_id,
        "path": place.path,
        "number": mark.number,
        "status": ended.outcome.status.value,
        "started_at": mark.started_at,
        "error": json_text(ended.outcome.error),
        "next_in_ms": next_in_ms,
        "model_calls": calls_text(ended.model_calls),
    }


def event_row(execution_id: str, number: int, draft: EventDraft) -> Columns:
    """Return the row of an event; `number` counts on from the newest stored one."""
    return {
        "execution_id": execution_id,
        "number": number,
        "kind": draft.kind.value,
        "path": draft.path,
        "attempt": draft.attempt,
        "from_status": draft.from_status,
        "to_status": draft.to_status,
        "data": json_text(draft.data),
    }


def json_text(value: Any) -> str | None:
    """Return the JSON text of a value that was checked before; None stays None."""
    return None if value is None else encode_json(value)


def shown_text(value: Any) -> str | None:
    """Return the JSON text of what is for readers alone, cut if it is large."""
    text = json_text(value)
    if text is None or _size(text) <= INLINE_BYTES:
        return text
    return encode_json(cut(value, PREVIEW_BYTES))


def calls_text(calls: Sequence[dict[str, Any]]) -> str | None:
    """Return the JSON text of model calls; None if there were none.

    Large answers are cut: the output of their step has them in full. Then `isCut` is true.
    """
    return json_text([_shown_call(call) for call in calls] or None)


def _shown_call(call: dict[str, Any]) -> dict[str, Any]:
    shown = {name: cut(call[name], PREVIEW_BYTES) for name in _LARGE if _is_large(call.get(name))}
    return {**call, **shown, "isCut": True} if shown else call


def _is_large(value: Any) -> bool:
    text = value if isinstance(value, str) else json_text(value or None)
    return text is not None and _size(text) > INLINE_BYTES


def _size(text: str) -> int:
    """Return how many bytes a text has; most have one for each character."""
    return len(text) if text.isascii() else len(text.encode())


def _step_columns(execution_id: str, place: Place) -> Columns:
    return {
        "execution_id": execution_id,
        "path": place.path,
        "position": place.position,
        "step_id": place.step.id,
        "step_name": place.step.name,
        "step_type": place.step.type.value,
    }
