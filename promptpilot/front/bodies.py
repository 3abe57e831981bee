"""Reads the GraphQL request out of an HTTP request, and no more bytes than may come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from promptpilot.front.answers import not_allowed, problem
from promptpilot.front.encoding import NotJson, loads
from promptpilot.front.limits import Limits
from promptpilot.front.negotiation import LEGACY, is_json
from promptpilot.front.request import GraphQLRequest, Malformed, read_request

_LONGEST_SIZE = 19  # digits; more is no size


async def receive_request(request: Request, limits: Limits) -> GraphQLRequest:
    """Return what is asked for; raise Problem when the request is none of GraphQL over HTTP."""
    if request.method == "GET":
        received = _read_query_string(request.query_params, limits)
    elif request.method == "POST":
        received = await _read_body(request, limits)
    else:
        raise not_allowed("GraphQL is served on GET and POST.", "GET, POST")
    try:
        return read_request(received)
    except Malformed as error:
        raise problem(422, str(error), "BAD_REQUEST") from None


def _read_query_string(parameters: Mapping[str, str], limits: Limits) -> dict[str, Any]:
    received: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    for name in ("variables", "extensions"):
        if name in received:
            received[name] = _json(received[name], f"'{name}'", limits)
    return received


async def _read_body(request: Request, limits: Limits) -> Any:
    if not is_json(request.headers.get("content-type", "")):
        message = f"Content-Type must be {LEGACY}, in UTF-8."
        raise problem(415, message, "UNSUPPORTED_MEDIA_TYPE", {"accept-post": LEGACY})
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) <= _LONGEST_SIZE:
        _check_size(int(announced), limits)
    try:
        async with asyncio.timeout(limits.timeout.total_seconds()):
            return _json(await _collect(request, limits), "The body", limits)
    except TimeoutError:
        message = f"The body did not come within {limits.timeout.total_seconds():g} seconds."
        raise problem(408, message, "TIMEOUT", {"connection": "close"}) from None


async def _collect(request: Request, limits: Limits) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        _check_size(len(body) + len(chunk), limits)
        body += chunk
    return bytes(body)


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.max_body:
        message = f"The body is over the limit of {limits.max_body} bytes."
        raise problem(413, message, "PAYLOAD_TOO_LARGE", {"connection": "close"})


def _json(data: bytes | str, subject: str, limits: Limits) -> Any:
    try:
        return loads(data, limits.max_json_depth)
    except NotJson as error:
        raise problem(400, f"{subject} {error}.", "BAD_JSON") from None
