"""The addresses of the REST edge, and what guards all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from promptpilot.engine.api import Engine
from promptpilot.rest import executions, outputs, webhooks
from promptpilot.rest.errors import answer_error, problem
from promptpilot.rest.health import Health, live, ready

Handler = Callable[[Request, Engine], Awaitable[Response]]


def rest_routes(engine: Engine, health: Health) -> list[BaseRoute]:
    """Return the routes of the REST edge."""
    return [
        _post("/api/webhooks/{trigger_id}", webhooks.receive, engine),
        _post("/api/workflows/{workflow_id}/execute", executions.execute_workflow, engine),
        _post("/api/triggers/{trigger_id}/execute", executions.execute_trigger, engine),
        _get("/api/executions/{execution_id}/output", outputs.download_execution_output, engine),
        _get(
            "/api/executions/{execution_id}/steps/{path}/output",
            outputs.download_step_output,
            engine,
        ),
        Route("/healthz", live),
        Route("/readyz", _probe(health)),
    ]


async def not_found(request: Request, error: Exception) -> Response:
    """Answer 404 for an address that is none of ours."""
    return problem(404, "NOT_FOUND", "There is nothing at this address.")


async def not_allowed(request: Request, error: Exception) -> Response:
    """Answer 405 for a method that the address does not know."""
    headers: dict[str, str] = getattr(error, "headers", None) or {}
    allowed = headers.get("Allow", "another method")
    message = f"This address takes {allowed}."
    return problem(405, "METHOD_NOT_ALLOWED", message, headers=headers)


def _get(path: str, handler: Handler, engine: Engine) -> Route:
    return Route(path, _guarded(handler, engine), methods=["GET", "HEAD"])


def _post(path: str, handler: Handler, engine: Engine) -> Route:
    return Route(path, _guarded(handler, engine), methods=["POST"])


def _guarded(handler: Handler, engine: Engine) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request, engine)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            return answer_error(error, engine.clock)

    return endpoint


def _probe(health: Health) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await ready(request, health)

    return endpoint
