"""SIMULATOR: a provider that leaves the server for nobody, costs nothing and always answers alike.

Without a script the answer is made of the request alone: text that quotes it, or a sample of the
JSON that was asked for. A script in `parameters.extra` says what happens instead, for tests and
demonstrations. Saving a workflow refuses values that make no sense; here they count as not given.

    text, json     the answer: as text, or as a value that is written as JSON
    chunks         the answer in pieces, which watchers see one by one
    chunkDelayMs   the wait between two pieces
    firstTokenMs   the wait before the first piece
    latencyMs      how long it takes in all; no wait is longer than a minute
    error          {"code", "message", "isRetryable", "retryAfterSeconds"}: the call fails
    failAttempts   only this many first attempts fail
    toolCalls      [{"id", "name", "arguments"}]
    usage          {"prompt", "completion", "cached", "cacheWrite", "reasoning"} in tokens
    finishReason   why it stopped
    attempts       a list of scripts, one for each attempt; the last one holds for all that follow
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import (
    ModelReply,
    ModelRequest,
    TextSink,
    Tokens,
    ToolCall,
)
from promptpilot.engine.samples import sample
from promptpilot.errors import StepFailed
from promptpilot.json_values import encode_json

_LONGEST_LATENCY_MS = 60_000
_CHARACTERS_PER_TOKEN = 4
_EXCERPT = 160
_MOST_TOKENS = 1_000_000_000
_RETRYABLE = frozenset(
    {
        "NETWORK",
        "OUTPUT_INVALID",
        "PROVIDER_RATE_LIMITED",
        "PROVIDER_TIMEOUT",
        "PROVIDER_UNAVAILABLE",
    }
)
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SAYS_SO = "The script of the simulator says so."

Script = Mapping[str, Any]


class Simulator:
    """Answers deterministically: equal requests get equal replies, in every process."""

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the scripted or the made-up answer. Raises the scripted `StepFailed`."""
        script = _script(request)
        if failure := _failure(script, request.attempt):
            await asyncio.sleep(_latency(script) / 1000)
            raise failure
        pieces = _pieces(script, request)
        first_ms, gap_ms, last_ms = _waits(script, len(pieces))
        await _say(pieces, first_ms, gap_ms, on_text)
        await asyncio.sleep(last_ms / 1000)
        text = "".join(pieces)
        return ModelReply(
            text=text,
            tool_calls=_tool_calls(script),
            finish_reason=str(script.get("finishReason", "stop")),
            tokens=_used(script, request, text),
            latency_ms=first_ms + gap_ms * (len(pieces) - 1) + last_ms,
            first_token_ms=first_ms,
            is_simulated=True,
        )


async def _say(pieces: list[str], first_ms: int, gap_ms: int, on_text: TextSink) -> None:
    await asyncio.sleep(first_ms / 1000)
    for position, piece in enumerate(pieces):
        if position and gap_ms:
            await asyncio.sleep(gap_ms / 1000)
        on_text(piece)


def _script(request: ModelRequest) -> Script:
    """Return the script of the attempt; what it leaves open is said beside `attempts`."""
    script = request.parameters.get("extra") or {}
    attempts = script.get("attempts")
    if not isinstance(attempts, list) or not attempts:
        return dict(script)
    own = attempts[min(request.attempt, len(attempts)) - 1]
    return {**script, **own} if isinstance(own, Mapping) else dict(script)


def _latency(script: Script) -> int:
    return _milliseconds(script, "latencyMs")


def _milliseconds(script: Script, name: str) -> int:
    return min(_whole(script, name, 0), _LONGEST_LATENCY_MS)


def _whole(script: Script, name: str, otherwise: int) -> int:
    """Return a number of the script, rounded down and never negative."""
    value = script.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(0, int(value)) if is_number and value is not None else otherwise


def _waits(script: Script, pieces: int) -> tuple[int, int, int]:
    """Return the waits before the first piece, between two and after the last (ms)."""
    latency, gaps = _latency(script), max(0, pieces - 1)
    gap = _milliseconds(script, "chunkDelayMs")
    gap = min(gap, _LONGEST_LATENCY_MS // gaps) if gaps else 0
    first = max(0, latency - gap * gaps)
    if "firstTokenMs" in script:
        first = _milliseconds(script, "firstTokenMs")
    return first, gap, max(0, latency - first - gap * gaps)


def _failure(script: Script, attempt: int) -> StepFailed | None:
    error = script.get("error")
    fail_attempts = script.get("failAttempts")
    if not isinstance(error, Mapping):
        return None
    if isinstance(fail_attempts, int) and attempt > fail_attempts:
        return None
    given = str(error.get("code", ""))
    seconds = _whole(error, "retryAfterSeconds", 0)
    return StepFailed(
        str(error.get("message", _SAYS_SO)),
        given if _CODE.fullmatch(given) else "PROVIDER_UNAVAILABLE",
        is_retryable=bool(error.get("isRetryable", given in _RETRYABLE)),
        retry_after=timedelta(seconds=min(seconds, _LONGEST_LATENCY_MS)) if seconds else None,
    )


def _pieces(script: Script, request: ModelRequest) -> list[str]:
    chunks = script.get("chunks")
    if isinstance(chunks, list) and chunks:
        return [str(chunk) for chunk in chunks]
    if "text" in script:
        return [str(script["text"])]
    return [encode_json(script["json"]) if "json" in script else _made_up(request)]


def _tool_calls(script: Script) -> tuple[ToolCall, ...]:
    calls = script.get("toolCalls")
    return tuple(
        ToolCall(_text(call.get("id")), str(call.get("name", "")), call.get("arguments"))
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, Mapping)
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _used(script: Script, request: ModelRequest, text: str) -> Tokens:
    usage = script.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    said = (request.instructions or "", *(turn.content for turn in request.turns), request.content)

    def count(name: str, otherwise: int) -> int:
        return min(_whole(usage, name, otherwise), _MOST_TOKENS)

    return Tokens(
        prompt=count("prompt", sum(map(_tokens, said))),
        completion=count("completion", _tokens(text)),
        cached=count("cached", 0),
        cache_write=count("cacheWrite", 0),
        reasoning=count("reasoning", 0),
    )


def _made_up(request: ModelRequest) -> str:
    """Return text that names the model, quotes the prompt's beginning and depends on all of it."""
    turns = [turn.content for turn in request.turns]
    asked = "\n".join((request.model, request.instructions or "", *turns, request.content))
    mark = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = " ".join(request.content.split())
    excerpt = words if len(words) <= _EXCERPT else f"{words[:_EXCERPT]}…"
    said = f"[{request.model} {mark}] {excerpt}"
    wanted = request.parameters.get("responseFormat")
    if wanted == "JSON_OBJECT":
        return encode_json({"text": said})
    if wanted == "JSON_SCHEMA":
        return encode_json(sample(request.parameters.get("responseSchema") or {}))
    return said


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)
