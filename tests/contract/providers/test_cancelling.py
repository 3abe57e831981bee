"""Proves that whoever cancels a call in the middle of its answer closes the connection at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelRequest
from promptpilot.engine.providers.registry import ADAPTERS, open_providers
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider
from tests.support.scripted_provider import ScriptedProvider, events

_CHAT = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Begun"}}],
}
_DELTA = {"type": "text_delta", "text": "Begun"}
_CANDIDATE = {"content": {"role": "model", "parts": [{"text": "Begun"}]}}
#: The first event of an answer that says "Begun".
BEGINNINGS: dict[ModelProvider, dict[str, Any]] = {
    ModelProvider.ANTHROPIC: {"type": "content_block_delta", "index": 0, "delta": _DELTA},
    ModelProvider.GOOGLE: {"candidates": [_CANDIDATE]},
    ModelProvider.OPENAI: _CHAT,
    ModelProvider.AZURE_OPENAI: _CHAT,
    ModelProvider.OPENAI_COMPATIBLE: _CHAT,
}


@pytest.mark.parametrize("kind", sorted(ADAPTERS))
async def test_the_connection_is_closed_within_a_second(
    provider: ScriptedProvider, http: ProviderHttp, kind: ModelProvider
) -> None:
    provider.says = events(BEGINNINGS[kind], is_left_hanging=True)
    told: asyncio.Queue[str] = asyncio.Queue()
    adapter, account = open_providers(http)[kind], Account("sk-4711", provider.url())
    call = adapter.complete(ModelRequest("a-model", "Hello", "k"), account, told.put_nowait)
    task = asyncio.create_task(call)
    assert await told.get() == "Begun"

    task.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait([task])
        await provider.journal.requests[0].wait_until_closed()

    assert task.cancelled()
    assert provider.journal.requests[0].is_abandoned
