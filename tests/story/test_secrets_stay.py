"""After a full run against servers that repeat every key, no key is found anywhere."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from promptpilot.models.database import connect
from tests.story.owner import Owner, join
from tests.support.caller import calling, free_port
from tests.support.echoing_provider import (
    EchoingProvider,
    all_forms,
    echoing_provider,
    forms,
)
from tests.support.installation import Installation
from tests.support.stored import dump

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

CREDENTIAL = "sk-canary/credential+0123456789abcdef"
ROTATED = "sk-canary/rotated+fedcba9876543210"
DENIED = "sk-canary/denied+0f1e2d3c4b5a6978"
OF_THE_SERVER = "az-canary/server+13579bdf02468ace"
HEADER = "hd-canary/header+a1b2c3d4e5f60718"
TRIGGER = "tr-canary/trigger+99887766554433221100"
SECRETS = (CREDENTIAL, ROTATED, DENIED, OF_THE_SERVER, HEADER, TRIGGER)
#: What shows that each kind of secret was used.
_SIGNS = (
    "StepOutputAppended",
    "CREDENTIAL_REVOKED",
    "REJECTED",
    "Wrong key: ***",
    "x-key",
)
_END_SECONDS = 20
_WATCH = """
subscription ($id: ID!) { executionEvents(executionId: $id, includeOutput: true) {
  __typename ... on StepOutputAppended { text }
} }"""
_EVERYTHING = """
query ($id: ID!) {
  execution(id: $id) {
    status input output error { message }
    steps {
      stepName status input output error { code message }
      modelCalls { outputText error { message } warnings }
      attempts { number error { message } }
    }
    events(first: 100) { nodes { __typename } }
  }
  modelCredentials { label secretPreview status refusal metadata lastUsedAt }
}"""


async def test_no_key_is_found_in_what_a_full_run_leaves_behind(
    database_url: str, tmp_path: Path
) -> None:
    async with echoing_provider() as provider, _running(database_url, tmp_path, provider) as story:
        told = await story.run()
    left = [told, story.monitored, await _dumped(database_url), *_files(tmp_path)]

    found = {each for each in SECRETS if any(form in text for form in forms(each) for text in left)}
    assert found == set()
    assert told.count("I was told ***") >= 2
    assert [word for word in _SIGNS if word not in told] == []


class Story:
    """Somebody who uses every kind of secret, and what Redis heard of it."""

    def __init__(self, owner: Owner, provider: EchoingProvider) -> None:
        self.monitored = ""
        self._owner = owner
        self._provider = provider

    async def run(self) -> str:
        """Use everything; return all that was answered."""
        main = await self._credential("main", CREDENTIAL, "/v1")
        denied = await self._credential("denied", DENIED, "/denied/v1")
        told: list[Any] = [
            await self._change("testModelCredential", "isAccepted", id=each)
            for each in (main, denied)
        ]
        workflow = await self._workflow(main, denied)
        await self._change(
            "createTrigger",
            "secret trigger { id }",
            workflowId=workflow,
            name="t",
            config={"webhook": {"scheme": "GITHUB", "secret": TRIGGER}},
        )
        told.append(await self._execute(workflow))
        selection = "modelCredential { secretPreview }"
        await self._change("rotateModelCredential", selection, id=main, secret=ROTATED)
        told.append(await self._execute(workflow))
        await self._change("revokeModelCredential", selection, id=main)
        told.append(await self._execute(workflow))
        return repr(told)

    async def _credential(self, label: str, secret: str, path: str) -> str:
        made = await self._change(
            "createModelCredential",
            "modelCredential { id }",
            provider="OPENAI_COMPATIBLE",
            label=label,
            secret=secret,
            baseUrl=self._provider.url(path),
        )
        return str(made["modelCredential"]["id"])

    async def _workflow(self, main: str, denied: str) -> str:
        steps = [
            _ask("own", "OPENAI_COMPATIBLE", main),
            _ask("server", "AZURE_OPENAI", None),
            _ask("denied", "OPENAI_COMPATIBLE", denied),
            {
                "name": "hook",
                "continueOnError": True,
                "config": {
                    "webhook": {
                        "url": self._provider.url("/hook"),
                        "headers": [{"name": "X-Key", "value": HEADER, "isSecret": True}],
                    }
                },
            },
        ]
        made = await self._change("createWorkflow", "workflow { id }", name="w", steps=steps)
        return str(made["workflow"]["id"])

    async def _execute(self, workflow_id: str) -> str:
        selection = "execution { id }"
        started = await self._change("startExecution", selection, workflowId=workflow_id)
        execution_id = started["execution"]["id"]
        watched = self._owner.caller.subscribe(_WATCH, id=execution_id)
        seen = [event["executionEvents"] async for event in watched]
        grown = "".join(event.get("text", "") for event in seen)
        return repr([seen, grown, await self._owner.caller.ask(_EVERYTHING, id=execution_id)])

    async def _change(self, field: str, selection: str, **input: Any) -> dict[str, Any]:
        return await self._owner.change(field, selection, **input)


def _ask(name: str, provider: str, credential_id: str | None) -> dict[str, Any]:
    model = {"provider": provider, "model": "m", "credentialId": credential_id}
    config = {"prompt": {"models": [model], "content": "What were you told?"}}
    return {"name": name, "continueOnError": True, "config": config}


@asynccontextmanager
async def _running(
    database_url: str, folder: Path, provider: EchoingProvider
) -> AsyncIterator[Story]:
    """Run everything in one process until the end of the story; listen to its Redis."""
    port = free_port()
    settings = {
        "DATABASE_URL": database_url,
        "PROMPTPILOT_PORT": str(port),
        "PROMPTPILOT_LOG_LEVEL": "DEBUG",
        "PROMPTPILOT_EGRESS_ALLOW": "127.0.0.1",
        "AZURE_OPENAI_API_KEY": OF_THE_SERVER,
        "AZURE_OPENAI_ENDPOINT": provider.url(),
    }
    installation = Installation(folder, settings)
    process = installation.start("up")
    try:
        async with calling(port) as caller:
            owner = await join(await caller.until_served())
            story = Story(owner, provider)
            async with _monitored(folder / "data" / "redis.sock") as heard:
                yield story
            story.monitored = repr(heard)
        process.send(signal.SIGTERM)
        assert await process.ended(within=_END_SECONDS) == 0, process.tail()
    finally:
        installation.remove()


@asynccontextmanager
async def _monitored(socket: Path) -> AsyncIterator[list[str]]:
    """Collect every command that Redis is sent, and at the end what it holds."""
    heard: list[str] = []
    async with Redis(unix_socket_path=str(socket)) as redis, redis.monitor() as monitor:

        async def listen() -> None:
            while True:
                heard.append((await monitor.next_command())["command"])

        listening = asyncio.create_task(listen())
        yield heard
        listening.cancel()
        await asyncio.wait([listening])
    assert heard


async def _dumped(database_url: str) -> str:
    database = await connect(database_url)
    try:
        return await dump(database)
    finally:
        await database.close()


def _files(folder: Path) -> list[str]:
    """Return what every file of the installation holds: its data folder, its logs, its database."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.read_bytes().decode("latin-1") for path in files]


def test_what_is_looked_for_is_what_a_careless_server_tells() -> None:
    told = all_forms(CREDENTIAL)

    assert [form for form in forms(CREDENTIAL) if form in told.replace(CREDENTIAL, "", 2)]
    assert sum(form in told for form in forms(CREDENTIAL)) >= 4
