"""An answer while it comes in: its text, its tool calls, its tokens and how long all took."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from promptpilot.engine.providers.base import ModelReply, TextSink, Tokens, ToolCall
from promptpilot.engine.providers.failures import Asked, malformed
from promptpilot.errors import StepFailed

_MAX_CHARACTERS: Final = 16 * 1024 * 1024
_MAX_TOKENS: Final = 10**12
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_FIRST_HALVES: Final = ("\ud800", "\udbff")


@dataclass(slots=True)
class _GrowingTool:
    id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def finished(self) -> ToolCall:
        written = "".join(self.arguments)
        try:
            return ToolCall(self.id, self.name, json.loads(written) if written else {})
        except (ValueError, RecursionError):
            return ToolCall(self.id, self.name, written)


class GrowingReply:
    """Gathers one answer piece by piece; times count from when it was made."""

    def __init__(self, asked: Asked, on_text: TextSink) -> None:
        self.asked = asked
        self.finish_reason: str | None = None
        self.request_id: str | None = None
        self.tokens = Tokens(are_told=False)
        self._on_text = on_text
        self._are_tokens_sound = True
        self._begun = time.monotonic()
        self._first_token_ms: int | None = None
        self._pieces: list[str] = []
        self._characters = 0
        self._half = ""
        self._tools: dict[Hashable, _GrowingTool] = {}
        self._warnings: dict[str, None] = {}

    @property
    def has_content(self) -> bool:
        """Tell whether there is any text or any tool call yet."""
        return bool(self._pieces or self._tools)

    def add_text(self, piece: Any) -> None:
        """Take the next piece. Raises `StepFailed` for one that is no text or cannot be stored."""
        if not isinstance(piece, str):
            raise malformed(self.asked, "a piece of text is none")
        self._count(piece)
        piece, self._half = _without_half(self._half + piece)
        if not piece:
            return
        if _UNSTORABLE.search(piece):
            raise malformed(self.asked, "it holds a character that cannot be stored")
        self._pieces.append(piece)
        self._on_text(piece)

    def add_tool(
        self, key: Hashable, id: Any = None, name: Any = None, arguments: Any = None
    ) -> None:
        """Take a piece of the tool call `key`; what is None or no text adds nothing."""
        tool = self._tools.setdefault(key, _GrowingTool())
        if isinstance(id, str) and id:
            tool.id = id
        if isinstance(name, str):
            tool.name += name
        if isinstance(arguments, str):
            self._count(arguments)
            tool.arguments.append(arguments)

    def warn(self, text: str) -> None:
        """Keep a warning for whoever reads of the call; the same one once."""
        self._warnings[text] = None

    def count(self, value: Any, name: str) -> int:
        """Return a number of tokens as the provider told it; junk is 0, with a warning.

        None is 0 without one.
        """
        if value is None:
            return 0
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and 0 <= value <= _MAX_TOKENS:
            return int(value)
        self._are_tokens_sound = False
        self.warn(f"The provider's {name} is no number of tokens; it counts as 0.")
        return 0

    def finished(self) -> ModelReply:
        """Return the whole answer. Raises `StepFailed` OUTPUT_INVALID for half a character."""
        if self._half:
            raise malformed(self.asked, "it holds a character that cannot be stored")
        if not self.tokens.are_told:
            self.warn("The provider did not tell how many tokens the call took.")
        return ModelReply(
            text="".join(self._pieces),
            tool_calls=tuple(tool.finished() for tool in self._tools.values()),
            finish_reason=self.finish_reason,
            tokens=replace(self.tokens, are_told=self.tokens.are_told and self._are_tokens_sound),
            request_id=self.request_id,
            latency_ms=self._elapsed_ms(),
            first_token_ms=self._first_token_ms,
            warnings=tuple(self._warnings),
        )

    def _count(self, piece: str) -> None:
        if piece and self._first_token_ms is None:
            self._first_token_ms = self._elapsed_ms()
        self._characters += len(piece)
        if self._characters > _MAX_CHARACTERS:
            message = f"The answer has more than {_MAX_CHARACTERS} characters."
            raise StepFailed(message, "OUTPUT_TOO_LARGE", is_outcome_unknown=True)

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._begun) * 1000)


def _without_half(text: str) -> tuple[str, str]:
    """Part text from half a character at its end; put halves together that came apart."""
    first, last = _FIRST_HALVES
    half = text[-1:] if text and first <= text[-1] <= last else ""
    whole = text[: len(text) - len(half)]
    if _UNSTORABLE.search(whole):
        data = whole.encode("utf-16-le", "surrogatepass")
        whole = data.decode("utf-16-le", "surrogatepass")
    return whole, half
