"""`POST /api/webhooks/{trigger_id}`: hands the raw bytes of a call to the engine."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptpilot.engine.api import Accepted, Engine
from promptpilot.errors import InvalidStatus, PermissionDenied
from promptpilot.rest.body import read_body
from promptpilot.rest.call import all_headers, source_ip


async def receive(request: Request, engine: Engine) -> Response:
    """Answer 200 with the execution's id once the call is stored, also when it came before.

    A sender that asks for its challenge gets nothing else.
    """
    body = await read_body(request, engine.settings.max_webhook_bytes)
    try:
        accepted = await engine.accept_call(
            request.path_params["trigger_id"], all_headers(request), body, source_ip(request)
        )
    except InvalidStatus as error:  # only who proved to be the sender learns that it is off
        raise PermissionDenied(error.message) from error
    if accepted.challenge is not None:
        return JSONResponse({"challenge": accepted.challenge})
    return JSONResponse(fired(accepted))


def fired(accepted: Accepted) -> dict[str, str | bool | None]:
    """Return what is told of a call that was taken."""
    return {
        "message": accepted.message,
        "executionId": accepted.execution_id,
        "duplicate": accepted.is_duplicate,
    }
