"""Reads what a server answers that speaks like OpenAI: piece by piece, or at once.

Nothing here trusts the server: what has not the promised shape is a `StepFailed` OUTPUT_INVALID,
and token counts that are none are 0 with a warning.
"""

from __future__ import annotations

from typing import Any, Final

import httpx2

from promptpilot.engine.providers.base import Tokens
from promptpilot.engine.providers.failures import Asked, cut, filtered, malformed, refused_midway
from promptpilot.engine.providers.growing import GrowingReply

_REQUEST_IDS: Final = ("x-request-id", "apim-request-id", "request-id")
_LENGTH: Final = "length"
_FILTERED: Final = "content_filter"


class OpenAiReading:
    """Reads one answer into a `GrowingReply`."""

    def __init__(self, growing: GrowingReply) -> None:
        self.asked: Asked = growing.asked
        self._growing = growing
        self._usage: Any = None
        self._refusal: list[str] = []
        self._has_begun = False

    def begin(self, response: httpx2.Response) -> None:
        """Take note of the head of an answer."""
        told = (response.headers.get(name) for name in _REQUEST_IDS)
        self._growing.request_id = next(filter(None, told), None)

    def piece(self, piece: Any) -> None:
        """Take the next piece of a stream. Raises `StepFailed`."""
        choice = self._choice(piece)
        if choice is not None:
            self._message(choice.get("delta"))

    def end(self) -> None:
        """Judge what came, as the stream is over. Raises `StepFailed`."""
        if not self._has_begun:
            raise malformed(self.asked, "it has no events")
        if self._growing.finish_reason is None:
            raise cut(self.asked)
        self._judge()

    def whole(self, response: httpx2.Response) -> None:
        """Take an answer that came at once. Raises `StepFailed`."""
        self.begin(response)
        body = response.json()
        if isinstance(body, dict) and body.get("error"):
            raise refused_midway(self.asked, body)
        choice = self._choice(body)
        if choice is None or not isinstance(choice.get("message"), dict):
            raise malformed(self.asked, "it has no choices")
        self._message(choice["message"])
        self._judge()

    def _choice(self, piece: Any) -> dict[str, Any] | None:
        """Return the one choice that was asked for, if it is in this piece."""
        if not isinstance(piece, dict):
            raise malformed(self.asked, "a piece of it is no JSON object")
        self._has_begun = True
        self._usage = piece.get("usage") or self._usage
        choices = piece.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(each, dict) for each in choices):
            raise malformed(self.asked, "its choices are no list of objects")
        choice = next((each for each in choices if each.get("index", 0) == 0), None)
        if choice is not None and isinstance(choice.get("finish_reason"), str):
            self._growing.finish_reason = choice["finish_reason"]
        return choice

    def _message(self, message: Any) -> None:
        if message is None:
            return
        if not isinstance(message, dict):
            raise malformed(self.asked, "a message in it is no object")
        for text in _texts(message.get("content")):
            self._growing.add_text(text)
        if isinstance(message.get("refusal"), str):
            self._refusal.append(message["refusal"])
        for position, call in enumerate(message.get("tool_calls") or []):
            self._tool(position, call)

    def _tool(self, position: int, call: Any) -> None:
        function = call.get("function") or {}
        key = call.get("index", position)
        self._growing.add_tool(key, call.get("id"), function.get("name"), function.get("arguments"))

    def _judge(self) -> None:
        growing = self._growing
        refusal = "".join(self._refusal)
        if refusal and not growing.has_content:
            raise filtered(self.asked, refusal)
        if growing.finish_reason == _FILTERED:
            raise filtered(self.asked, _FILTERED)
        if growing.finish_reason == _LENGTH:
            growing.warn("The answer met its limit of tokens and ends early.")
        growing.tokens = self._tokens()

    def _tokens(self) -> Tokens:
        usage = self._usage
        if not usage or not isinstance(usage, dict):
            return Tokens(are_told=False)
        count = self._growing.count
        sent, came = (
            _part(usage, "prompt_tokens_details"),
            _part(usage, "completion_tokens_details"),
        )
        prompt = count(usage.get("prompt_tokens"), "prompt_tokens")
        completion = count(usage.get("completion_tokens"), "completion_tokens")
        return Tokens(
            prompt=prompt,
            completion=completion,
            cached=min(prompt, count(sent.get("cached_tokens"), "cached_tokens")),
            reasoning=min(completion, count(came.get("reasoning_tokens"), "reasoning_tokens")),
        )


def _texts(content: Any) -> list[Any]:
    """Return the texts of a message; some servers send a list of parts."""
    if not isinstance(content, list):
        return [] if content is None else [content]
    return [part.get("text") for part in content if part.get("type") == "text"]


def _part(usage: dict[str, Any], name: str) -> dict[str, Any]:
    part = usage.get(name)
    return part if isinstance(part, dict) else {}
