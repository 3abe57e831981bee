"""Reads the body of a request without ever holding more of it than is allowed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from promptpilot.engine.api import Engine
from promptpilot.engine.strict_json import parse_json
from promptpilot.errors import InvalidInput, PayloadTooLarge, Required

#: Room for what stands around the values in a body.
ENVELOPE_BYTES = 1024
_MAX_DIGITS = 19


async def read_body(request: Request, limit: int) -> bytes:
    """Return the raw bytes; raise PayloadTooLarge as soon as they are over `limit`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) <= _MAX_DIGITS:
        _check(int(announced), limit)
    body = bytearray()
    async for chunk in request.stream():
        _check(len(body) + len(chunk), limit)
        body += chunk
    return bytes(body)


async def read_values(request: Request, engine: Engine) -> dict[str, Any]:
    """Return the values for the inputs of a workflow; raises as `read_body` and `read_input`."""
    return read_input(await read_body(request, engine.settings.max_input_bytes + ENVELOPE_BYTES))


def read_input(body: bytes) -> dict[str, Any]:
    """Return the values in `{"input": {…}}`, or in `{"variables": {…}}` as older clients write.

    Raises InvalidInput for what is not JSON or of another form, Required when neither is there.
    """
    document = parse_json(body, ("body",))
    if not isinstance(document, dict):
        raise InvalidInput('The body must be a JSON object: {"input": {…}}.', ("body",))
    for name in ("input", "variables"):
        if name in document:
            return _values(document[name], name)
    raise Required('The body must say {"input": {…}}.', ("input",))


def _values(values: Any, name: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise InvalidInput(f"{name} must be a JSON object.", (name,))
    return values


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(f"The body may have at most {limit} bytes.", limit)
