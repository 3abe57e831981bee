"""The addresses of the REST edge, and what guards all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from promptpilot.clock import Clock
from promptpilot.engine.api import Engine
from promptpilot.rest.errors import answer_error, problem
from promptpilot.rest.health import Health
from promptpilot.rest.openapi import ALL
from promptpilot.rest.operation import Handler, Operation
from promptpilot.rest.operations import PROBES

T = TypeVar("T")


def rest_routes(engine: Engine, health: Health) -> list[BaseRoute]:
    """Return the routes of the REST edge."""
    doors = [_route(each, engine, engine.clock) for each in ALL]
    return [*doors, *(_route(each, health, engine.clock) for each in PROBES)]


async def not_found(request: Request, error: Exception) -> Response:
    """Answer 404 for an address that is none of ours."""
    return problem(404, "NOT_FOUND", "There is nothing at this address.")


async def not_allowed(request: Request, error: Exception) -> Response:
    """Answer 405 for a method that the address does not know."""
    headers: dict[str, str] = getattr(error, "headers", None) or {}
    allowed = headers.get("Allow", "another method")
    message = f"This address takes {allowed}."
    return problem(405, "METHOD_NOT_ALLOWED", message, headers=headers)


def _route(operation: Operation[T], host: T, clock: Clock) -> Route:
    endpoint = _guarded(operation.handler, host, clock)
    return Route(operation.path, endpoint, methods=[operation.method])


def _guarded(
    handler: Handler[T], host: T, clock: Clock
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request, host)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            return answer_error(error, clock)

    return endpoint
