"""Proves what a call of a model shows, and that calls of older servers are still read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from promptpilot.engine.runner import Runner
from promptpilot.schema.scalars import JSON
from promptpilot.schema.types.model_call import ModelCall, ModelToolCall
from tests.schema.api import Api
from tests.schema.documents import make_workflow, start, step
from tests.schema.watching import finish

CALLS = """
query ($id: ID!) { execution(id: $id) { steps { modelCalls {
  index model requestId firstTokenMs priceVersion credentialId warnings
  toolCalls { id name arguments }
  usage { promptTokens cachedTokens cacheWriteTokens reasoningTokens costUsd }
} } } }
"""
#: A call as servers before prices and tools stored it.
OLD: dict[str, Any] = {
    "provider": "SIMULATOR", "model": "m", "label": None, "attempt": 1, "isSuccessful": True,
    "outputText": "Hi", "finishReason": "stop", "latencyMs": 3, "promptTokens": 2,
    "completionTokens": 1, "costMicros": 0, "error": None, "isSimulated": True,
}  # fmt: skip


def test_a_call_of_an_older_server_is_read() -> None:
    call = ModelCall.of(OLD)

    assert (call.index, call.tool_calls, call.warnings, call.request_id) == (None, [], [], None)
    assert (call.usage.cached_tokens, call.usage.reasoning_tokens) == (None, None)


def test_a_call_shows_all_that_is_known() -> None:
    more = {
        "index": 1, "firstTokenMs": 2, "cachedTokens": 1, "cacheWriteTokens": 0, "costMicros": 7,
        "reasoningTokens": 1, "priceVersion": "v1", "requestId": "r1", "credentialId": "cr_1",
        "warnings": ["W"], "toolCalls": [{"id": "c", "name": "look", "arguments": {"q": 1}}],
    }  # fmt: skip

    call = ModelCall.of({**OLD, **more})

    assert (call.index, call.first_token_ms, call.price_version) == (1, 2, "v1")
    assert (call.request_id, call.credential_id, call.warnings) == ("r1", "cr_1", ["W"])
    assert call.tool_calls == [ModelToolCall(id="c", name="look", arguments=JSON({"q": 1}))]
    assert (call.usage.cached_tokens, call.usage.cost_usd) == (1, Decimal("0.000007"))


TOOL = {"id": "c", "name": "look", "arguments": {"q": 1}}
TOLD = {
    "index": 0,
    "model": "m",
    "requestId": None,
    "firstTokenMs": 0,
    "credentialId": None,
    "priceVersion": None,
    "warnings": [],
    "toolCalls": [TOOL],
    "usage": {
        "promptTokens": 9,
        "cachedTokens": 4,
        "cacheWriteTokens": 0,
        "reasoningTokens": 0,
        "costUsd": "0.000000",
    },
}


async def test_the_calls_of_a_step_are_told(api: Api, worker: Runner) -> None:
    script = {"text": "Hi", "toolCalls": [TOOL], "usage": {"prompt": 9, "cached": 4}}
    model = {"provider": "SIMULATOR", "model": "m", "parameters": {"extra": script}}
    asking = step("ask", config={"prompt": {"content": "Hi", "models": [model]}})
    workflow_id = await make_workflow(api, steps=[asking], variables=[])
    execution_id = await start(api, workflow_id, input={})
    await finish(api, execution_id)

    found = (await api.run(CALLS, id=execution_id))["execution"]

    assert found["steps"][0]["modelCalls"] == [TOLD]


async def test_the_server_tells_which_models_have_a_price(api: Api) -> None:
    found = await api.run("{ serverInfo { providers { provider models } } }")

    models = {each["provider"]: each["models"] for each in found["serverInfo"]["providers"]}
    assert "gpt-4o-mini" in models["OPENAI"]
    assert "claude-haiku-4-5" in models["ANTHROPIC"]
    assert models["SIMULATOR"] == models["OPENAI_COMPATIBLE"] == []
