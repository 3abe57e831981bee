"""Triggers by plain HTTP: with the key of an API trigger, or by hand with a token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptpilot.engine.api import Engine
from promptpilot.errors import InvalidStatus, PermissionDenied
from promptpilot.rest.bearer import identify
from promptpilot.rest.body import ENVELOPE_BYTES, read_body, read_input
from promptpilot.rest.call import all_headers, idempotency_key, source_ip
from promptpilot.rest.executions import find_execution, show_execution
from promptpilot.rest.webhooks import fired

KEY_HEADER = "x-api-key"


async def execute_trigger(request: Request, engine: Engine) -> Response:
    """Answer 200 with the execution that the trigger started.

    A request with a key is a call of an API trigger; one without is made in the name of whoever
    holds the token.
    """
    if KEY_HEADER in request.headers:
        return await _call(request, engine)
    return await _run(request, engine)


async def _call(request: Request, engine: Engine) -> Response:
    body = await read_body(request, engine.settings.max_webhook_bytes)
    try:
        accepted = await engine.call_trigger(
            request.path_params["trigger_id"],
            request.headers[KEY_HEADER],
            all_headers(request),
            body,
            source_ip(request),
            idempotency_key(request),
        )
    except InvalidStatus as error:  # only who has the key learns that it is off
        raise PermissionDenied(error.message) from error
    return JSONResponse(fired(accepted))


async def _run(request: Request, engine: Engine) -> Response:
    principal = await identify(request, engine)
    body = await read_body(request, engine.settings.max_input_bytes + ENVELOPE_BYTES)
    values = read_input(body) if body else {}  # the trigger may have all that it needs
    trigger_id = request.path_params["trigger_id"]
    key = idempotency_key(request)
    launched = await engine.run_trigger(principal, trigger_id, values, key)
    row = await find_execution(principal, launched.execution_id)
    message = "Execution started." if launched.is_new else "This key came before."
    told = {"message": message, "duplicate": not launched.is_new, "triggerId": trigger_id}
    return JSONResponse({**show_execution(row, engine.settings.public_url), **told})
