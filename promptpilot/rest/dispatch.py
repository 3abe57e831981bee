"""`POST /api/events`: tells EVENT triggers of something that happened elsewhere."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptpilot.engine.api import Engine
from promptpilot.engine.gathering import raise_all
from promptpilot.engine.strict_json import parse_json
from promptpilot.engine.triggers.events import EventDraft
from promptpilot.errors import CallerError, InvalidInput, Required
from promptpilot.rest.bearer import identify
from promptpilot.rest.body import ENVELOPE_BYTES, read_body
from promptpilot.rest.call import idempotency_key
from promptpilot.rest.errors import arguments_in_body

#: What a body may say, and what that must be.
_TEXT: Final = (str, "a text")
_MEMBERS: Final = {
    "eventType": _TEXT,
    "payload": (dict, "a JSON object"),
    "workflowId": _TEXT,
    "idempotencyKey": _TEXT,
}
_NEEDED: Final = ("eventType", "payload")
_KEY: Final = "idempotencyKey"


async def dispatch_event(request: Request, engine: Engine) -> Response:
    """Answer 202 with the executions that the event started."""
    principal = await identify(request, engine)
    limit = engine.settings.max_input_bytes + ENVELOPE_BYTES
    draft = read_event(await read_body(request, limit), idempotency_key(request))
    with arguments_in_body():
        dispatched = await engine.dispatch_event(principal, draft)
    return JSONResponse(
        {
            "count": len(dispatched.execution_ids),
            "executionIds": list(dispatched.execution_ids),
            "eventId": dispatched.event_id,
            "duplicate": not dispatched.is_new,
        },
        202,
    )


def read_event(body: bytes, key: str | None) -> EventDraft:
    """Return the event in `{"eventType": …, "payload": {…}}`; `key` is that of the header.

    Raises InvalidInput, Required or InvalidMany, which name the member.
    """
    document = parse_json(body, ("body",))
    if not isinstance(document, dict):
        message = 'The body must be a JSON object: {"eventType": "…", "payload": {…}}.'
        raise InvalidInput(message, ("body",))
    given = {name: value for name, value in document.items() if value is not None}
    raise_all([*_faults(given), *_key_faults(given, key)])
    return EventDraft(
        event_type=given["eventType"],
        payload=given["payload"],
        workflow_id=given.get("workflowId"),
        idempotency_key=key if key is not None else given.get(_KEY),
    )


def _faults(given: dict[str, Any]) -> list[CallerError]:
    faults: list[CallerError] = [
        Required(f"The body must say {name}.", (name,)) for name in _NEEDED if name not in given
    ]
    for name, value in given.items():
        if name not in _MEMBERS:
            message = f"{name[:100]!r} is not known; the body may say {', '.join(_MEMBERS)}."
            faults.append(InvalidInput(message, (name[:100],)))
        elif not isinstance(value, _MEMBERS[name][0]):
            faults.append(InvalidInput(f"{name} must be {_MEMBERS[name][1]}.", (name,)))
    return faults


def _key_faults(given: dict[str, Any], key: str | None) -> list[CallerError]:
    if key is None or given.get(_KEY, key) == key:
        return []
    message = "idempotencyKey is not what the header Idempotency-Key says; send one of them."
    return [InvalidInput(message, (_KEY,))]
