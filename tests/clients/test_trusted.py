"""Proves that a server which executes trusted documents alone answers every operation of an app."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, OperationType, get_operation_ast, parse

from promptpilot.front.persisted import hash_of
from tests.clients.plausible import variables_of
from tests.clients.server import up
from tests.support.caller import Caller, calling

pytestmark = [pytest.mark.xdist_group("spa"), pytest.mark.timeout(120)]

PERSON = {"email": "mira@example.org", "password": "a long enough password"}


@dataclass(frozen=True)
class App:
    """Asks by name what relay-compiler has written down; `operations` are the operations."""

    caller: Caller
    schema: GraphQLSchema
    texts: dict[str, str]
    operations: dict[str, OperationDefinitionNode]

    async def ask(self, name: str, **given: Any) -> dict[str, Any]:
        """Return the whole answer to one operation."""
        answer = await self.caller.post("/graphql", self._body(name, given), **_JSON)
        found: dict[str, Any] = answer.json()
        return found

    async def begins(self, name: str) -> bool:
        """Tell whether a subscription is taken."""
        headers = {
            "authorization": f"Bearer {self.caller.token}",
            "accept": "text/event-stream",
            "content-type": "application/json",
        }
        url, body = "/graphql", self._body(name, {})
        asked = self.caller.http.stream("POST", url, content=body, headers=headers)
        async with asked as answer:
            return answer.status_code == httpx2.codes.OK

    def _body(self, name: str, given: dict[str, Any]) -> bytes:
        variables = variables_of(self.schema, self.operations[name]) | given
        named = f"sha256:{hash_of(self.texts[name])}"
        return json.dumps({"documentId": named, "variables": variables}).encode()


_JSON = {"content_type": "application/json"}


async def test_every_operation_of_the_app_is_answered_by_its_name(
    made: Path, exported: GraphQLSchema, tmp_path: Path
) -> None:
    manifest = made / "documents.json"
    trusted = {"TRUSTED_DOCUMENTS": str(manifest), "ONLY_TRUSTED_DOCUMENTS": "true"}

    async with up(tmp_path, **trusted) as server, calling(server.port) as caller:
        app = _app(caller, exported, manifest)
        joined = await app.ask("AccountRegisterMutation", input=PERSON)
        caller.token = joined["data"]["register"]["token"]
        untrusted = await caller.post("/graphql", b'{"query": "{ viewer { id } }"}', **_JSON)
        faults = [fault for name in app.operations if (fault := await _fault(app, name))]

    assert faults == []
    assert untrusted.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


async def _fault(app: App, name: str) -> tuple[str, Any] | None:
    """Return what was wrong with an operation."""
    if app.operations[name].operation is OperationType.SUBSCRIPTION:
        return None if await app.begins(name) else (name, "It was not begun.")
    answer = await app.ask(name)
    return (name, answer["errors"]) if "errors" in answer else None


def _app(caller: Caller, schema: GraphQLSchema, manifest: Path) -> App:
    texts: dict[str, str] = {}
    operations: dict[str, OperationDefinitionNode] = {}
    for text in json.loads(manifest.read_text()).values():
        operation = get_operation_ast(parse(text))
        assert operation
        assert operation.name
        texts[operation.name.value], operations[operation.name.value] = text, operation
    last = operations.pop("AccountLogoutMutation")  # nothing can be asked after it
    return App(caller, schema, texts, operations | {"AccountLogoutMutation": last})
