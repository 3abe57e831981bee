"""The HTTP endpoint: GraphQL over HTTP, edition of September 2026, GET and POST.

Rules: a body is always JSON, `{"errors": [...]}` where nothing was executed. A client that asks for
`application/graphql-response+json` gets a telling status (400 not parsed, 422 not valid, 294 in
part); one that asks for `application/json` gets 200 for every well-formed request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry import Schema

from promptpilot.errors import (
    CallerError,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from promptpilot.front.documents import Documents, is_mutation, is_subscription
from promptpilot.front.encoding import NotJson, Unwritable, dumps, loads
from promptpilot.front.errors import Refused, Stage, masked_exception
from promptpilot.front.execution import Answer, Execution, Operation, TookTooLong, formatted
from promptpilot.front.graphiql import page
from promptpilot.front.limits import Limits
from promptpilot.front.negotiation import LEGACY, RESPONSE, choose, is_json, prefers_html
from promptpilot.front.request import GraphQLRequest, Malformed, read_request

Profile = Literal["2026-09", "audit"]

_PARTIAL = 294
_STATUS_OF_ERROR: tuple[tuple[type[Exception], int], ...] = (
    (Unauthenticated, 401),
    (PermissionDenied, 403),
    (RateLimited, 429),
    (CallerError, 400),
    (Unavailable, 503),
)


class _Problem(Exception):
    """The HTTP request is answered with errors and a status of its own."""

    def __init__(
        self, status: int, message: str, code: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}


class GraphQLEndpoint:
    """An ASGI app for `Route("/graphql", endpoint)`.

    `context` makes the context of a request; a CallerError that it raises is the answer. The
    `documents` may be given to a GraphQLSocket, so that a document is prepared once for both.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        context: Callable[[Request], Awaitable[Any]],
        limits: Limits | None = None,
        profile: Profile = "2026-09",
    ) -> None:
        self._limits = limits or Limits()
        self.documents = Documents(schema, self._limits)
        self._execution = Execution(schema, self.documents, self._limits)
        self._context = context
        self._profile = profile

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong, answer in JSON."""
        request = Request(scope, receive)
        if request.method == "GET" and prefers_html(request.headers.get("accept")):
            await page()(scope, receive, send)
            return
        media_type = choose(request.headers.get("accept"))
        try:
            response = await self._respond(request, media_type)
        except ClientDisconnect:
            return
        except _Problem as problem:
            response = self._problem(problem, media_type or RESPONSE)
        except Refused as refused:
            response = self._refused(refused, media_type or RESPONSE)
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            response = _failed(error, media_type or RESPONSE)
        await response(scope, receive, send)

    async def _respond(self, request: Request, media_type: str | None) -> Response:
        received = await self._read(request)
        operation = self._prepare(received)
        if request.method == "GET" and is_mutation(operation.node):
            raise _not_allowed("A mutation needs POST.", "POST")
        if is_subscription(operation.node):
            raise _not_acceptable("A subscription needs a WebSocket (graphql-transport-ws).")
        if media_type is None:
            raise _not_acceptable(f"Accept must name {RESPONSE} or {LEGACY}.")
        context = await self._context(request)
        answer = await self._execution.answer(operation, context)
        return _response(answer.body(), self._status(answer, media_type), media_type)

    def _prepare(self, received: Any) -> Operation:
        return self._execution.prepare(_request(received))

    async def _read(self, request: Request) -> Any:
        if request.method == "GET":
            return _read_query_string(request.query_params)
        if request.method == "POST":
            return await self._read_body(request)
        raise _not_allowed("GraphQL is served on GET and POST.", "GET, POST")

    async def _read_body(self, request: Request) -> Any:
        if not is_json(request.headers.get("content-type", "")):
            message = f"Content-Type must be {LEGACY}, in UTF-8."
            raise _Problem(415, message, "UNSUPPORTED_MEDIA_TYPE", {"accept-post": LEGACY})
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and len(announced) < 20:  # noqa: PLR2004 -- more is no size
            self._check_size(int(announced))
        body = bytearray()
        async for chunk in request.stream():
            self._check_size(len(body) + len(chunk))
            body += chunk
        return _json(bytes(body), "The body")

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_body:
            message = f"The body is over the limit of {self._limits.max_body} bytes."
            raise _Problem(413, message, "PAYLOAD_TOO_LARGE", {"connection": "close"})

    def _status(self, answer: Answer, media_type: str) -> int:
        is_telling = media_type == RESPONSE and self._profile != "audit"
        return _PARTIAL if answer.errors and is_telling else 200

    def _refused(self, refused: Refused, media_type: str) -> Response:
        body = {"errors": formatted(refused.errors)}
        return _response(body, self._status_of_refusal(refused, media_type), media_type)

    def _status_of_refusal(self, refused: Refused, media_type: str) -> int:
        if isinstance(refused, TookTooLong):
            return 503
        if media_type == LEGACY:
            return 200
        is_coarse = refused.stage is Stage.PARSE or self._profile == "audit"
        return 400 if is_coarse else 422

    def _problem(self, problem: _Problem, media_type: str) -> Response:
        is_coarse = media_type == LEGACY or self._profile == "audit"
        status = 400 if problem.status == 422 and is_coarse else problem.status  # noqa: PLR2004 -- HTTP's own number
        error = GraphQLError(problem.message, extensions={"code": problem.code})
        return _response({"errors": formatted([error])}, status, media_type, problem.headers)


def _request(received: Any) -> GraphQLRequest:
    try:
        return read_request(received)
    except Malformed as error:
        raise _Problem(422, str(error), "BAD_REQUEST") from None


def _read_query_string(parameters: Mapping[str, str]) -> dict[str, Any]:
    received: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    for name in ("variables", "extensions"):
        if name in received:
            received[name] = _json(received[name], f"'{name}'")
    return received


def _json(data: bytes | str, subject: str) -> Any:
    try:
        return loads(data)
    except NotJson:
        raise _Problem(400, f"{subject} is not JSON.", "BAD_JSON") from None


def _not_allowed(message: str, allowed: str) -> _Problem:
    return _Problem(405, message, "METHOD_NOT_ALLOWED", {"allow": allowed})


def _not_acceptable(message: str) -> _Problem:
    return _Problem(406, message, "NOT_ACCEPTABLE")


def _failed(error: Exception, media_type: str) -> Response:
    status = next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), 500)
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004 -- HTTP's own number
    body = {"errors": formatted([masked_exception(error)])}
    return _response(body, status, media_type, headers)


def _response(
    body: Any, status: int, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    try:
        content = dumps(body)
    except Unwritable as error:
        return _failed(error, media_type)
    all_headers = {
        "content-type": f"{media_type}; charset=utf-8",
        "cache-control": "no-store",
        **(headers or {}),
    }
    return Response(content, status, all_headers)
