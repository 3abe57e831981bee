"""Executes prepared operations directly on graphql-core, with Strawberry's execution context.

Rules: Strawberry's extension lifecycle is not run, so extensions of the schema have no effect here.
Every operation gets a context of its own, and so does every event of a subscription, so that no
loader outlives the answer it was made for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias, TypeGuard, TypeVar, cast

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    create_source_event_stream,
    execute_root_selection_set,
    execute_subscription_event,
    map_source_to_response_event,
)
from graphql.execution import Executor
from graphql.pyutils import AwaitableOrValue
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from promptpilot.front.documents import Documents, Prepared, is_mutation
from promptpilot.front.encoding import longest_list
from promptpilot.front.errors import Refused, masked, masked_exception, masked_input, refusal
from promptpilot.front.fast import fast_executor
from promptpilot.front.limits import Limits
from promptpilot.front.persisted import PersistedDocuments
from promptpilot.front.request import GraphQLRequest

T = TypeVar("T")
AnyExecutor: TypeAlias = Executor[Any]

_MESSAGE_LENGTH = 1000


class TookTooLong(Refused):
    """The operation was stopped at the time limit."""

    def __init__(self, limit: timedelta) -> None:
        message = f"The operation took longer than {limit.total_seconds():g} seconds."
        super().__init__([GraphQLError(message, extensions={"code": "TIMEOUT"})])


@dataclass(frozen=True, slots=True)
class Operation:
    """A request together with the prepared operation that it asks for."""

    request: GraphQLRequest
    prepared: Prepared
    node: OperationDefinitionNode
    cost: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """One result, fit for the client: errors are masked and bounded."""

    data: dict[str, Any] | None
    errors: tuple[GraphQLError, ...]
    cost: Mapping[str, int]

    def body(self) -> dict[str, Any]:
        """Return the response as GraphQL writes it, errors first."""
        extensions = {"cost": self.cost}
        if not self.errors:
            return {"data": self.data, "extensions": extensions}
        return {"errors": formatted(self.errors), "data": self.data, "extensions": extensions}


def body_of(refused: Refused) -> dict[str, Any]:
    """Return the response to a request of which nothing was executed."""
    body: dict[str, Any] = {"errors": formatted(refused.errors)}
    if refused.cost is not None:
        body["extensions"] = {"cost": refused.cost}
    return body


def formatted(errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
    """Return errors as a response carries them; a message that quotes a long value is cut."""
    return [{**error.formatted, "message": _short(error.message)} for error in errors]


class Execution:
    """Executes the operations of one schema."""

    def __init__(
        self,
        schema: Schema,
        documents: Documents,
        limits: Limits,
        persisted: PersistedDocuments | None = None,
    ) -> None:
        self._documents = documents
        self._limits = limits
        self._persisted = PersistedDocuments() if persisted is None else persisted
        stock: type[AnyExecutor] = schema.execution_context_class
        self._executor_class = fast_executor(stock) if limits.is_fast else stock

    def prepare(self, request: GraphQLRequest) -> Operation:
        """Return the operation to execute; raise Refused where there is none."""
        prepared = self._documents.get(self._persisted.text_of(request))
        node = prepared.operation(request.operation_name)
        self._check_lists(request.variables)
        cost = self._affordable(prepared.cost(node, request.variables))
        self._persisted.learn(request)
        return Operation(request, prepared, node, cost)

    def _check_lists(self, variables: dict[str, Any] | None) -> None:
        limit = self._limits.max_list
        longest = longest_list(variables) if variables else 0
        if longest > limit:
            message = f"A list in the variables has {longest} items; at most {limit} are allowed."
            raise refusal(message, "LIMIT_EXCEEDED")

    def _affordable(self, requested: int) -> dict[str, int]:
        maximum = self._limits.max_cost
        cost = {"requested": requested, "maximum": maximum}
        if requested > maximum:
            message = (
                f"The operation costs {requested}; at most {maximum} is allowed. Ask for smaller"
                " pages, or for less below them."
            )
            error = GraphQLError(message, extensions={"code": "LIMIT_EXCEEDED"})
            raise Refused([error], cost=cost)
        return cost

    async def answer(self, operation: Operation, context: Any) -> Answer:
        """Execute a query or a mutation.

        Raise Refused when its variables are not acceptable, TookTooLong at the time limit.
        """
        executor = self._executor(operation, context)
        limit = self.patience(operation) or self._limits.timeout
        result = await _limited(execute_root_selection_set(executor), limit)
        return self._shown(result, operation.cost)

    def patience(self, operation: Operation) -> timedelta | None:
        """Return the time of an operation that takes longer than others; None for the others."""
        fields = operation.node.selection_set.selections
        names = [each.name.value if isinstance(each, FieldNode) else "" for each in fields]
        longest = [self._limits.patience.get(name) for name in names]
        return None if None in longest else max(each for each in longest if each is not None)

    def must_end(self, operation: Operation) -> bool:
        """Whether the operation stores something, so that it goes on when its client leaves."""
        return is_mutation(operation.node) and self.patience(operation) is None

    async def answers(
        self, operation: Operation, new_context: Callable[[], Any]
    ) -> AsyncGenerator[Answer, None]:
        """Yield the answer to each event of a subscription; close the iterator to close its source.

        Raise Refused when it cannot start, when its source fails later, and when the start or an
        event takes too long.
        """
        executor = self._executor(operation, new_context())
        limit = self._limits.timeout
        source: Any = await _limited(create_source_event_stream(executor), limit)
        if isinstance(source, ExecutionResult):
            raise Refused(self._shown(source, operation.cost).errors)

        def execute_event(event_executor: AnyExecutor) -> AwaitableOrValue[ExecutionResult]:
            event_executor.context_value = new_context()
            return _limited(execute_subscription_event(event_executor), limit)

        results = map_source_to_response_event(executor, source, execute_event)
        async with aclosing(results):
            try:
                async for result in results:
                    yield self._shown(result, operation.cost)
            except TookTooLong:
                raise
            except Exception as error:  # noqa: BLE001 -- an edge: whatever the source raises
                raise Refused([masked_exception(error)]) from None

    def _executor(self, operation: Operation, context: Any) -> AnyExecutor:
        executor = self._executor_class.build(
            self._documents.schema,
            operation.prepared.document,
            context_value=context,
            raw_variable_values=operation.request.variables,
            operation_name=operation.request.operation_name,
            max_coercion_errors=self._limits.max_errors - 1,
            is_awaitable=_is_awaitable,
            hide_suggestions=self._limits.hides_suggestions,
            operation_extensions=operation.request.extensions,
        )
        if isinstance(executor, list):
            raise Refused([masked_input(error) for error in executor])
        return executor

    def _shown(self, result: ExecutionResult, cost: Mapping[str, int]) -> Answer:
        errors = (result.errors or [])[: self._limits.max_errors]
        return Answer(result.data, tuple(masked(error) for error in errors), cost)


async def _limited(result: AwaitableOrValue[T], limit: timedelta) -> T:
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await result if _is_awaitable(result) else cast("T", result)
    except TimeoutError:
        raise TookTooLong(limit) from None


def _short(message: str) -> str:
    if len(message) <= _MESSAGE_LENGTH:
        return message
    return f"{message[:_MESSAGE_LENGTH]}…"


def _is_awaitable(value: object) -> TypeGuard[Awaitable[Any]]:
    return optimized_is_awaitable(value)
