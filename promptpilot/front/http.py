"""The HTTP endpoint: GraphQL over HTTP, edition of September 2026, GET and POST.

Rules: a body is always JSON, `{"errors": [...]}` where nothing was executed. A client that asks for
`application/graphql-response+json` gets a telling status (400 not parsed, 422 not valid, 294 in
part); one that asks for `application/json` gets 200 for every well-formed request. Whether an
answer is streamed follows from the operation's type, not from the Accept header alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack, aclosing
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from promptpilot.front.answers import (
    Answers,
    Problem,
    Profile,
    not_acceptable,
    not_allowed,
)
from promptpilot.front.bodies import receive_request
from promptpilot.front.documents import is_mutation, is_subscription
from promptpilot.front.errors import Refused
from promptpilot.front.execution import Answer, Operation, body_of
from promptpilot.front.graphiql import page
from promptpilot.front.negotiation import LEGACY, RESPONSE, Wish, prefers_html, wish_of
from promptpilot.front.negotiation import SSE as EVENTS
from promptpilot.front.presence import to_its_end, while_present
from promptpilot.front.session import Session
from promptpilot.front.streams import (
    FRAMINGS,
    SSE,
    AnswerStream,
    Bodies,
    Framing,
    StreamTerms,
    once,
    told,
)
from promptpilot.front.terms import Terms

__all__ = ["GraphQLEndpoint", "Profile"]

_STREAMS = "text/event-stream or multipart/mixed;subscriptionSpec=1.0"


class GraphQLEndpoint:
    """An ASGI app for `Route("/graphql", endpoint)`.

    `session` says who asks; a CallerError that it raises is the answer. Give the same `terms` to a
    GraphQLSocket, so that a document is prepared once for both.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        session: Callable[[Request], Awaitable[Session]],
        profile: Profile = "2026-09",
    ) -> None:
        self._terms = terms
        self._session = session
        self._answers = Answers(profile, terms.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong, answer in JSON."""
        request = Request(scope, receive)
        accept = request.headers.get("accept")
        if request.method == "GET" and prefers_html(accept):
            await page()(scope, receive, send)
            return
        try:
            response = await self._respond(request, wish_of(accept))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request, wish: Wish) -> ASGIApp:
        media_type = wish.media_type or RESPONSE
        try:
            return await self._serve(request, wish)
        except Problem as problem:
            return self._answers.problem(problem, media_type)
        except Refused as refused:
            if wish.media_type is None and wish.stream == EVENTS:
                return self._stream(told(body_of(refused)), SSE)
            return self._answers.refused(refused, media_type)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            return self._answers.failed(error, media_type)

    async def _serve(self, request: Request, wish: Wish) -> ASGIApp:
        received = await receive_request(request, self._terms.limits)
        session = await self._session(request)
        await self._terms.rates.spend(session.key)
        operation = self._terms.execution.prepare(received)
        if request.method == "GET" and is_mutation(operation.node):
            raise not_allowed("A mutation needs POST.", "POST")
        if is_subscription(operation.node):
            return self._subscribe(operation, session, wish)
        if wish.media_type is not None:
            answer = await self._answer(request, operation, session)
            return self._answers.whole(answer, wish.media_type)
        if wish.stream == EVENTS:
            return self._stream(once(self._body(operation, session)), SSE)
        raise not_acceptable(f"Accept must name {RESPONSE} or {LEGACY}.")

    async def _answer(self, request: Request, operation: Operation, session: Session) -> Answer:
        execution = self._terms.execution
        work = execution.answer(operation, session.operation_context())
        if execution.patience(operation) is None:
            return await work  # the server lets it go on when the client has gone
        return await while_present(request, work)

    async def _body(self, operation: Operation, session: Session) -> dict[str, Any]:
        execution = self._terms.execution
        work = execution.answer(operation, session.operation_context())
        answer = await (to_its_end(work) if execution.must_end(operation) else work)
        return answer.body()

    def _subscribe(self, operation: Operation, session: Session, wish: Wish) -> ASGIApp:
        if wish.stream is None:
            message = f"A subscription needs a WebSocket, or an Accept header with {_STREAMS}."
            raise not_acceptable(message)
        places = ExitStack()
        places.enter_context(self._terms.streams.taken(session.key))
        events = self._events(operation, session)
        return self._stream(events, FRAMINGS[wish.stream], session, places)

    async def _events(self, operation: Operation, session: Session) -> Bodies:
        answers = self._terms.execution.answers(operation, session.operation_context)
        async with aclosing(answers):
            async for answer in answers:
                yield answer.body()

    def _stream(
        self,
        bodies: Bodies,
        framing: Framing,
        session: Session | None = None,
        places: ExitStack | None = None,
    ) -> AnswerStream:
        seconds = self._terms.limits.keep_alive.total_seconds()
        trust = self._terms.limits.trust
        terms = StreamTerms(framing, seconds, self._terms.clock, session, trust)
        return AnswerStream(bodies, terms, places or ExitStack())
