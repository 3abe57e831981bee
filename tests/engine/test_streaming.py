"""Proves that a provider's stream is shown as it comes, and closed when its step is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.definition import Step
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.providers.registry import open_providers
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.runner import Runner
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig
from promptpilot.engine.watching import OutputAppended, watch
from promptpilot.local_relay import LocalRelay
from tests.support.bench import Bench
from tests.support.models import workflow
from tests.support.scripted_provider import ScriptedProvider, events, scripted_provider
from tests.support.watching import Secrets

KEY = "sk-proj-0123456789abcdef"
ASKING = workflow(
    Step(
        "ask",
        PromptConfig((ModelTarget(ModelProvider.OPENAI, "gpt-test"),), content="Hi"),
        id="st_ask",
    )
)


@dataclass
class OneAccount(Secrets):
    """The secrets of a workspace that has one key, for a provider at `base_url`."""

    base_url: str = ""

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Open the key."""
        self.revealed.append(KEY)
        return Account(KEY, self.base_url)


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    """Give a provider that says what the test writes down."""
    async with scripted_provider() as server:
        yield server


@pytest.fixture
def relay() -> LocalRelay:
    """Give the relay between the worker and who watches."""
    return LocalRelay()


@pytest.fixture
async def worker(
    bench: Bench, provider: ScriptedProvider, relay: LocalRelay
) -> AsyncIterator[Runner]:
    """Give a worker that reaches the provider, until the test ends."""
    http = ProviderHttp(AllowList.of(["127.0.0.1"]))
    tools = replace(
        bench.tools_with(providers=open_providers(http)),
        outputs=relay,
        secrets=lambda _: OneAccount(base_url=f"{provider.url()}/v1"),
    )
    async with bench.running(bench.runner(tools, poll=timedelta(milliseconds=20))) as runner:
        yield runner
    await http.aclose()


def said(*texts: str) -> Any:
    """Return a stream of these pieces that then hangs."""
    chunks = [
        {"id": "1", "object": "chat.completion.chunk", "choices": [_choice(text)]} for text in texts
    ]
    return events(*chunks, is_left_hanging=True)


def _choice(text: str) -> dict[str, Any]:
    return {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}


async def read_until(bench: Bench, relay: LocalRelay, execution_id: str, words: str) -> str:
    """Watch until the text has these words; return it."""
    text = ""
    async with asyncio.timeout(20):
        live = watch(execution_id, 0, bench.feed, relay, bench.clock)
        while words not in text:
            item = await anext(live)
            if isinstance(item, OutputAppended):
                text = item.text if item.is_snapshot else text + item.text
        await live.aclose()
    return text


async def test_cancelling_closes_the_connection_within_a_second(
    bench: Bench, provider: ScriptedProvider, relay: LocalRelay, worker: Runner
) -> None:
    provider.says = said("The answer ", "begins like this, and ")
    execution_id = await bench.launch(ASKING)
    await read_until(bench, relay, execution_id, "begins")
    [request] = provider.journal.requests

    await bench.control.cancel(bench.workspace_id, execution_id, None)

    async with asyncio.timeout(1):
        await request.closed.wait()
    assert request.is_abandoned


async def test_a_key_that_the_model_says_in_two_pieces_is_never_shown(
    bench: Bench, provider: ScriptedProvider, relay: LocalRelay, worker: Runner
) -> None:
    provider.says = said(
        f"You sent {KEY[:11]}", f"{KEY[11:]}, which is ", "a secret of yours. " * 3
    )
    execution_id = await bench.launch(ASKING)

    text = await read_until(bench, relay, execution_id, "which is")

    assert text.startswith("You sent ***, which is ")
