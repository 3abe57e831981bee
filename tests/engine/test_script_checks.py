"""Proves that a slip in the script of a simulated model is found when its workflow is saved."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.step_checks import check_steps
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig

SOUND: dict[str, Any] = {
    "text": "Hi",
    "json": [1],
    "chunks": ["H", "i"],
    "chunkDelayMs": 0,
    "firstTokenMs": 1.5,
    "latencyMs": 70_000,
    "error": {"code": "NETWORK", "message": "", "isRetryable": False, "retryAfterSeconds": 1},
    "failAttempts": 2,
    "toolCalls": [{"name": "look_up", "arguments": None}],
    "usage": {"prompt": 1, "completion": 0, "cached": 0, "cacheWrite": 0, "reasoning": 0},
    "finishReason": "stop",
    "stream": "what another provider takes",
}


def found(extra: Any, provider: ModelProvider = ModelProvider.SIMULATOR) -> list[tuple[str, str]]:
    """Return code of each fault and its path below `extra`."""
    model = ModelTarget(provider, "echo", parameters={"extra": extra})
    faults = list(check_steps(Definition((Step("a", PromptConfig((model,), content="Hi")),))))
    place = ("steps", "0", "config", "prompt", "models", "0", "parameters", "extra")
    assert all(fault.path[: len(place)] == place for fault in faults)
    return [(fault.code, ".".join(fault.path[len(place) :])) for fault in faults]


@pytest.mark.parametrize("extra", [None, {}, SOUND, {"attempts": [SOUND, {}]}])
def test_a_sound_script_can_be_saved(extra: Any) -> None:
    assert found(extra) == []


@pytest.mark.parametrize(
    ("extra", "path"),
    [
        ({"text": 5}, "text"),
        ({"chunks": "Hi"}, "chunks"),
        ({"chunks": [1]}, "chunks"),
        ({"chunkDelayMs": "5"}, "chunkDelayMs"),
        ({"firstTokenMs": True}, "firstTokenMs"),
        ({"latencyMs": -1}, "latencyMs"),
        ({"error": "Too busy."}, "error"),
        ({"error": {"code": "too busy"}}, "error.code"),
        ({"error": {"isRetryable": "yes"}}, "error.isRetryable"),
        ({"error": {"retryAfterSeconds": None}}, "error.retryAfterSeconds"),
        ({"failAttempts": 1.5}, "failAttempts"),
        ({"toolCalls": [{"id": "1"}]}, "toolCalls"),
        ({"usage": 7}, "usage"),
        ({"usage": {"prompt": -3}}, "usage.prompt"),
        ({"finishReason": []}, "finishReason"),
        ({"attempts": []}, "attempts"),
        ({"attempts": [{}, {"latencyMs": "1"}]}, "attempts.1.latencyMs"),
    ],
)
def test_a_value_that_the_simulator_would_not_heed_is_named(extra: Any, path: str) -> None:
    assert found(extra) == [("INVALID_SCRIPT", path)]


def test_other_providers_have_no_script() -> None:
    assert found({"latencyMs": "soon"}, ModelProvider.OPENAI) == []
