"""A reader who follows a page: sends its examples one after the other, and remembers what came."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
import shlex
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.docs.pages import Example
from tests.support.waiting import wait_until

_DECLARED = re.compile(r"\$(\w+):")
_ASSIGNED = re.compile(r"^(\w+)='([^']*)'$", re.MULTILINE)
_DATA = re.compile(r"^data: (.*)$", re.MULTILINE)
#: Objects whose ids later examples ask for, and the names that pages give to them.
_KEPT = {
    "workflow": ("workflowId", "WORKFLOW"),
    "execution": ("executionId", "EXECUTION"),
    "trigger": ("triggerId", "TRIGGER"),
    "prompt": ("promptId", "PROMPT"),
    "firstVersion": ("firstVersionId", "FIRST_VERSION"),
    "secondVersion": ("secondVersionId", "SECOND_VERSION"),
}
_PATIENCE_SECONDS = 20
_BODY_OPTIONS = {"-d", "--data-binary"}
_REGISTER = """
mutation ($email: String!) {
  register(input: {email: $email, password: "a long enough password"}) { token }
}
"""


@dataclass
class Reader:
    """Somebody with an account on the server at `url`. `answers` are the data that came back."""

    url: str
    variables: dict[str, str] = field(default_factory=dict)
    shell: dict[str, str] = field(default_factory=dict)
    answers: list[Any] = field(default_factory=list)

    async def sign_up(self) -> None:
        """Make an account and keep its token."""
        data = await self._post(_REGISTER, {"email": f"{uuid.uuid4().hex}@example.com"})
        self.shell |= {"URL": self.url, "TOKEN": data["data"]["register"]["token"]}

    async def follow(self, example: Example) -> None:
        """Run one example; fail when its answer is not the one that the page promises."""
        match example.language:
            case "graphql" if example.text.lstrip().startswith("subscription"):
                answer: Any = await self._watch(example.text)
            case "graphql":
                answer = await self._ask(example)
            case "curl":
                answer = await self._call(example)
            case _:
                self._assign(example.text)
                return
        assert _codes_in(answer) == example.expected, answer
        self._keep(answer)
        self.answers.append(answer)

    async def _ask(self, example: Example) -> Any:
        """Send an operation; one that waits for a status is sent until the execution has it."""
        variables = self._variables(example.text)
        if example.until is None:
            return await self._post(example.text, variables)

        async def answer_with_status() -> Any:
            answer = await self._post(example.text, variables)
            is_there = answer["data"]["execution"]["status"] == example.until
            return answer if is_there else None

        return await wait_until(answer_with_status, _PATIENCE_SECONDS)

    async def _post(self, query: str, variables: dict[str, str]) -> Any:
        async with self._client() as client:
            body = {"query": query, "variables": variables}
            answer = await client.post("/graphql", json=body, headers=self._headers())
        return answer.json()

    async def _watch(self, query: str) -> list[Any]:
        """Return everything that a subscription sends until the server ends it."""
        return await self._converse(query, self._variables(query))

    async def _converse(self, query: str, variables: dict[str, str]) -> list[Any]:
        """Return everything that an operation on a socket is answered with."""
        address = f"{self.url.replace('http', 'ws', 1)}/graphql"
        payload = {"query": query, "variables": variables}
        received: list[Any] = []
        protocol = Subprotocol("graphql-transport-ws")
        async with connect(address, subprotocols=[protocol]) as socket:
            hello = {"type": "connection_init", "payload": self._headers()}
            await socket.send(json.dumps(hello))
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            async for text in socket:
                message = json.loads(text)
                match message["type"]:
                    case "next":
                        received.append(message["payload"])
                    case "error":
                        return [*received, {"errors": message["payload"]}]
                    case "complete":
                        assert received, "An operation ended and had sent nothing."
                        return received
                    case _:
                        continue
        raise AssertionError(f"The socket ended before the operation: {received}")

    async def _call(self, example: Example) -> Any:
        """Do what a curl command says, with the variables of the shell."""
        words = [
            Template(word).safe_substitute(self.shell)
            for word in shlex.split(example.text.replace("\\\n", " "))
        ]
        options = list(itertools.pairwise(words))
        headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
        bodies = [_bytes_of(value) for option, value in options if option in _BODY_OPTIONS]
        address = next(word for word in words if word.startswith("http"))
        method, body = ("POST", bodies[0]) if bodies else ("GET", None)
        async with self._client() as client:
            answer = await client.request(method, address, content=body, headers=headers)
        assert answer.is_success != bool(example.expected), answer.text
        if answer.headers["content-type"].startswith("text/event-stream"):
            return [json.loads(data) for data in _DATA.findall(answer.text)]
        return answer.json()

    def _assign(self, script: str) -> None:
        """Set the variables of a shell script, and the signature that it computes of BODY."""
        self.shell |= dict(_ASSIGNED.findall(script))
        if "SIGNATURE=" in script:
            secret, body = self.shell["SECRET"].encode(), self.shell["BODY"].encode()
            self.shell["SIGNATURE"] = hmac.new(secret, body, hashlib.sha256).hexdigest()

    def _variables(self, query: str) -> dict[str, str]:
        return {name: self.variables[name] for name in _DECLARED.findall(query)}

    def _headers(self) -> dict[str, str]:
        token = self.shell.get("TOKEN")
        return {"authorization": f"Bearer {token}"} if token else {}

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=30)

    def _keep(self, answer: Any) -> None:
        """Remember the ids and the secret in an answer."""
        for name, value in _entries(answer):
            if name in _KEPT and isinstance(value, dict) and "id" in value:
                variable, constant = _KEPT[name]
                self.variables[variable] = self.shell[constant] = value["id"]
            elif name == "secret":
                self.shell["SECRET"] = value
            elif name == "steps":
                self._keep_question(value)
            elif name == "executionId":
                self.variables["executionId"] = self.shell["EXECUTION"] = value

    def _keep_question(self, steps: list[Any]) -> None:
        """Remember the id of the step that waits for a person."""
        for step in steps:
            if step.get("pendingDecision"):
                self.variables["stepExecutionId"] = step["id"]


class SocketReader(Reader):
    """A reader who sends every operation over a WebSocket."""

    async def _post(self, query: str, variables: dict[str, str]) -> Any:
        (answer,) = await self._converse(query, variables)
        return answer


def _bytes_of(data: str) -> bytes:
    """Return what curl sends for `data`: itself, or the file that it names after an @."""
    return Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()


def _codes_in(answer: Any) -> set[str]:
    """Return the codes of all errors in an answer, wherever it is one."""
    faults: list[Any] = []
    for name, value in _entries(answer):
        if name == "errors":
            faults += value
        elif name == "error" and isinstance(value, dict):
            faults.append(value)
    return {each.get("code") or each.get("extensions", {}).get("code", "?") for each in faults}


def _entries(document: Any) -> list[tuple[str, Any]]:
    """Return every entry of every object in a document."""
    if isinstance(document, list):
        return [entry for each in document for entry in _entries(each)]
    if not isinstance(document, dict):
        return []
    return [*document.items(), *_entries(list(document.values()))]
