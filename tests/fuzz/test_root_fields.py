"""Proves by search that no operation that fits the schema makes the server fail.

schemathesis makes up operations on every root field, with ids of real objects among those of
nothing. It knows no subscriptions, so they are made up as queries and sent as what they are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import schemathesis.graphql
from graphql import build_schema, parse, print_ast
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation.case import Case

from tests.clients.conftest import ROOT
from tests.clients.server import Server, server_in
from tests.fuzz.oracle import askable, complaint
from tests.fuzz.scalars import register
from tests.fuzz.streams import heard
from tests.fuzz.target import fill
from tests.support.caller import calling

pytestmark = [pytest.mark.xdist_group("fuzz"), pytest.mark.timeout(120)]

EXAMPLES = 15
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
assert SCHEMA.subscription_type
#: As wide as limits go, so that what is made up reaches the resolvers.
WIDE = {
    "EGRESS_ALLOW": "127.0.0.1:9, [::1]:9",
    "GRAPHQL_MAX_ALIASES": "1000",
    "GRAPHQL_MAX_COST": "10000000",
    "GRAPHQL_MAX_DEPTH": "50",
    "GRAPHQL_MAX_TOKENS": "20000",
    "GRAPHQL_RATE": "0",
    "GRAPHQL_ANONYMOUS_RATE": "0",
}
#: What takes objects away from the others comes last.
ENDINGS = ("cancel", "delete", "discard", "logout", "revoke")
SEARCH = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Target:
    """A filled server and the operations that schemathesis makes up for it."""

    server: Server
    http: httpx2.Client
    operations: Any
    subscriptions: Any

    def search_events(self, name: str) -> None:
        """Subscribe to one root field; fail at the first bad event."""

        @SEARCH
        @given(case=self.subscriptions["Subscription"][name].as_strategy())
        def sent(case: Case[Any]) -> None:
            document = askable(SCHEMA, parse(f"subscription {case.body!s}"))
            for answer in heard(self.http, print_ast(document)):
                assert complaint(SCHEMA, document, 200, answer) == "", print_ast(document)

        sent()

    def search(self, root: str, name: str) -> None:
        """Send operations on one root field; fail at the first bad answer."""

        @SEARCH
        @given(case=self.operations[root][name].as_strategy())
        def sent(case: Case[Any]) -> None:
            document = askable(SCHEMA, parse(str(case.body)))
            body = json.dumps({"query": print_ast(document)}).encode()
            answer = self.http.post("/graphql", content=body)
            found = complaint(SCHEMA, document, answer.status_code, answer.json())
            assert found == "", print_ast(document)

        sent()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Give a server whose database may be spoilt."""
    server = server_in(tmp_path_factory.mktemp("fuzz"), **WIDE)
    try:
        ids, token = asyncio.run(_filled(server))
        register(ids)
        operations = schemathesis.graphql.from_path(ROOT / "schema.graphql")
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/graphql-response+json",
        }
        with httpx2.Client(base_url=server.url, headers=headers, timeout=30) as http:
            subscriptions = schemathesis.graphql.from_file(_with_subscriptions_as_queries())
            yield Target(server, http, operations, subscriptions)
    finally:
        server.end()


def _root_fields() -> list[tuple[str, str]]:
    """Return every field of Query and Mutation, in the order in which they are searched."""
    roots = [root for root in (SCHEMA.query_type, SCHEMA.mutation_type) if root]
    fields = [(root.name, name) for root in roots for name in root.fields]
    return sorted(fields, key=lambda field: field[1].startswith(ENDINGS))


@pytest.mark.parametrize(("root", "name"), _root_fields())
def test_no_operation_on_a_root_field_fails(target: Target, root: str, name: str) -> None:
    target.search(root, name)


@pytest.mark.parametrize("name", SCHEMA.subscription_type.fields)
def test_no_subscription_fails(target: Target, name: str) -> None:
    target.search_events(name)


def test_the_log_tells_of_no_fault(target: Target) -> None:
    assert target.server.command
    lines = target.server.command.output.splitlines()

    assert [line for line in lines if '"level": "error"' in line or "Traceback" in line] == []


def _with_subscriptions_as_queries() -> str:
    text = (ROOT / "schema.graphql").read_text()
    return f"{text}\nschema {{ query: Subscription }}\n"


async def _filled(server: Server) -> tuple[list[str], str]:
    """Start the server; return the ids of what is in it and a token."""
    await server.start()
    async with calling(server.port) as caller:
        return await fill(caller), caller.token
