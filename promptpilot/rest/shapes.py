"""The shapes of what the REST edge takes and answers, as JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from promptpilot.engine.events import EventKind
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus, WaitReason
from promptpilot.engine.triggers.kinds import TriggerType

Schema = dict[str, Any]

_TEXT: Final = {"type": "string"}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_OBJECT: Final = {"type": "object"}
_FLAG: Final = {"type": "boolean"}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _object(properties: Mapping[str, Schema], *optional: str, description: str = "") -> Schema:
    """Make the schema of an object whose properties are always there, but for the optional ones."""
    return {
        "type": "object",
        **({"description": description} if description else {}),
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }


_ERROR: Final = _object(
    {
        "code": {**_TEXT, "description": "Program-readable kind; docs/ERRORS.md has all."},
        "message": {**_TEXT, "description": "English sentence for people."},
        "details": {
            "type": "array",
            "description": "Which values are to blame, if any are.",
            "items": _object(
                {
                    "path": {**_TEXT, "description": "Where it is in the request, with dots."},
                    "code": _TEXT,
                    "message": _TEXT,
                }
            ),
        },
    }
)

_METADATA: Final = _object(
    {
        "triggerType": {"enum": [each.value for each in TriggerType]},
        "triggerId": _or_null(_TEXT),
        "workflowRevision": {"type": "integer", "minimum": 1},
        "retryOfId": _or_null(_TEXT),
    },
    description="What started it, and which revision of the workflow it runs.",
)

_EXECUTION: Final[dict[str, Schema]] = {
    "id": _TEXT,
    "executionId": {**_TEXT, "description": "The same as `id`."},
    "workflowId": _TEXT,
    "status": {"enum": [each.value for each in ExecutionStatus]},
    "waitReason": {
        "enum": [*(each.value for each in WaitReason if each is not WaitReason.HANDOVER), None],
        "description": "What it waits for while WAITING.",
    },
    "input": _OBJECT,
    "output": {"description": "Its OUTPUT variables once it is COMPLETED; a preview if large."},
    "outputUrl": {**_or_null(_TEXT), "description": "Where an output that was cut is in full."},
    "error": {
        "type": ["object", "null"],
        "description": "Why it FAILED.",
        "properties": {"code": _TEXT, "message": _TEXT, "isRetryable": _FLAG, "details": {}},
        "required": ["code", "message", "isRetryable"],
    },
    "metadata": _METADATA,
    "createdAt": _INSTANT,
    "startedAt": _or_null(_INSTANT),
    "finishedAt": _or_null(_INSTANT),
}

_FIRED: Final[dict[str, Schema]] = {
    "message": _TEXT,
    "executionId": {
        **_or_null(_TEXT),
        "description": "The execution; null if nothing was to be started.",
    },
    "duplicate": {**_FLAG, "description": "It came before; the execution is the earlier one."},
}

_STATUSES: Final = sorted({each.value for each in (*ExecutionStatus, *StepStatus)})

#: Every schema by its name.
SHAPES: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        "Problem": _object({"error": _ERROR}, description="Every error has this shape."),
        "StartBody": {
            "type": "object",
            "properties": {
                "input": {**_OBJECT, "description": "Values for INPUT variables, by name."},
                "variables": {**_OBJECT, "description": "The same as `input`, in older clients."},
            },
            "anyOf": [{"required": ["input"]}, {"required": ["variables"]}],
        },
        "CallBody": {"description": "Any JSON that the trigger's `inputMapping` can read."},
        "EventBody": _object(
            {
                "eventType": {**_TEXT, "description": "Such as `order.created`."},
                "payload": {**_OBJECT, "description": "The event's data."},
                "workflowId": {
                    **_or_null(_TEXT),
                    "description": "Only triggers of this workflow are told.",
                },
                "idempotencyKey": {
                    **_or_null(_TEXT),
                    "description": "The same as the header Idempotency-Key.",
                },
            },
            "workflowId",
            "idempotencyKey",
        ),
        "Execution": _object(_EXECUTION, description="An execution."),
        "Fired": _object(_FIRED, description="What came of a call."),
        "FiredByHand": _object(
            {**_EXECUTION, **_FIRED, "executionId": _TEXT, "triggerId": _TEXT},
            description="What came of firing a trigger by hand, with the whole execution.",
        ),
        "Challenge": _object(
            {"challenge": _TEXT}, description="What Slack wants to hear back of its own."
        ),
        "Dispatched": _object(
            {
                "count": {"type": "integer", "minimum": 0, "description": "How many started."},
                "executionIds": {"type": "array", "items": _TEXT},
                "eventId": _TEXT,
                "duplicate": {**_FLAG, "description": "The key came before."},
            },
            description="What came of an event.",
        ),
        "ExecutionEvent": _object(
            {
                "executionId": _TEXT,
                "sequence": {"type": "integer", "minimum": 1},
                "kind": {"enum": [each.value for each in EventKind]},
                "occurredAt": _INSTANT,
                "stepExecutionId": _or_null(_TEXT),
                "attempt": _or_null({"type": "integer"}),
                "fromStatus": {"enum": [*_STATUSES, None]},
                "toStatus": {"enum": [*_STATUSES, None]},
            },
            description="The data of one event of a stream.",
        ),
        "Liveness": _object({"status": {"const": "ok"}}),
        "Readiness": _object(
            {"status": {"enum": ["ok", "unavailable"]}, "database": _TEXT, "redis": _TEXT}
        ),
    }
)
