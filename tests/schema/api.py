"""A client of the schema without HTTP: one caller, and what they are answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from strawberry.types import ExecutionResult

from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal
from promptpilot.schema import schema
from promptpilot.schema.context import Context


@dataclass(frozen=True)
class Api:
    """The API as `principal` sees it; nobody is signed in when it is None."""

    engine: Engine
    principal: Principal | None = None
    #: The network address of the caller.
    address: str | None = None

    def seen_by(self, principal: Principal | None) -> Api:
        """Return the API as somebody else sees it."""
        return Api(self.engine, principal)

    async def run(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an operation that must not fail."""
        result = await self._result(document, variables)
        assert result.errors is None, result.errors
        assert result.data is not None
        return result.data

    async def refused(self, document: str, **variables: Any) -> GraphQLError:
        """Return the only error of an operation that must fail."""
        (error,) = await self.refusals(document, **variables)
        return error

    async def refusals(self, document: str, **variables: Any) -> list[GraphQLError]:
        """Return the errors of an operation that must fail."""
        result = await self._result(document, variables)
        assert result.errors, result.data
        return result.errors

    async def _result(self, document: str, variables: dict[str, Any]) -> ExecutionResult:
        context = Context.of(self.engine, self.principal, self.address)
        result = await schema.execute(document, variables, context_value=context)
        assert isinstance(result, ExecutionResult)
        return result

    async def mutate(self, field: str, input: dict[str, Any], selection: str) -> dict[str, Any]:
        """Return the payload of a mutation."""
        name = f"{field[0].upper()}{field[1:]}Input"
        document = f"mutation ($input: {name}!) {{ {field}(input: $input) {{ {selection} }} }}"
        payload: dict[str, Any] = (await self.run(document, input=input))[field]
        return payload

    async def watch(self, document: str, **variables: Any) -> AsyncGenerator[ExecutionResult, None]:
        """Yield every answer of a subscription."""
        context = Context.of(self.engine, self.principal, self.address)
        source = await schema.subscribe(document, variables, context_value=context)
        async for result in source:
            assert isinstance(result, ExecutionResult)
            yield result
