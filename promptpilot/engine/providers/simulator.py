"""SIMULATOR: a provider that leaves the server for nobody, costs nothing and always answers alike.

Without a script the answer is made of the request alone. A script in `parameters.extra` says what
happens instead, for tests and demonstrations:

    text          the answer
    latencyMs     how long it takes, at most a minute
    error         {"code", "message", "isRetryable"}: the call fails
    failAttempts  only this many first attempts fail
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink, Tokens
from promptpilot.errors import StepFailed

_LONGEST_LATENCY_MS = 60_000
_CHARACTERS_PER_TOKEN = 4
_EXCERPT = 160


class Simulator:
    """Answers deterministically: equal requests get equal replies, in every process."""

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the scripted or the made-up answer. Raises the scripted `StepFailed`."""
        script = request.parameters.get("extra") or {}
        latency_ms = _latency(script)
        await asyncio.sleep(latency_ms / 1000)
        _fail_as_told(script, request.attempt)
        text = str(script["text"]) if "text" in script else _made_up(request)
        on_text(text)
        asked = _tokens(request.content) + _tokens(request.instructions or "")
        return ModelReply(
            text=text,
            finish_reason="stop",
            tokens=Tokens(asked, _tokens(text)),
            latency_ms=latency_ms,
            first_token_ms=latency_ms,
            is_simulated=True,
        )


def _latency(script: Mapping[str, Any]) -> int:
    wanted = script.get("latencyMs", 0)
    is_number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
    return max(0, min(int(wanted), _LONGEST_LATENCY_MS)) if is_number else 0


def _fail_as_told(script: Mapping[str, Any], attempt: int) -> None:
    error = script.get("error")
    fail_attempts = script.get("failAttempts")
    if not isinstance(error, Mapping):
        return
    if isinstance(fail_attempts, int) and attempt > fail_attempts:
        return
    raise StepFailed(
        str(error.get("message", "The script of the simulator says so.")),
        str(error.get("code", "PROVIDER_UNAVAILABLE")),
        is_retryable=bool(error.get("isRetryable", False)),
    )


def _made_up(request: ModelRequest) -> str:
    """Return text that names the model, quotes the prompt's beginning and depends on all of it."""
    asked = "\n".join((request.model, request.instructions or "", request.content))
    mark = hashlib.sha256(asked.encode()).hexdigest()[:8]
    words = " ".join(request.content.split())
    excerpt = words if len(words) <= _EXCERPT else f"{words[:_EXCERPT]}…"
    return f"[{request.model} {mark}] {excerpt}"


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)
