"""aimock beside the tests: stands in for the servers of OpenAI, Anthropic and Google.

It knows their wire formats, plain and streamed, and is written by others. One process serves a
whole session of tests; each test takes a model or a message of its own to tell its answers apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.node import NodeServer

_SECONDS = 10.0


@dataclass(eq=False)
class Aimock:
    """A running aimock. `anthropic`, `google` and `openai` are its base URLs for the adapters."""

    server: NodeServer

    @classmethod
    def start(cls, folder: Path) -> Aimock:
        """Start it without any answers; its log is written into `folder`."""
        return cls(NodeServer.start("aimock.mjs", folder))

    @property
    def anthropic(self) -> str:
        """Return the base URL that speaks Anthropic's messages."""
        return self.server.url

    @property
    def google(self) -> str:
        """Return the base URL that speaks Gemini."""
        return self.server.url

    @property
    def openai(self) -> str:
        """Return the base URL that speaks OpenAI's chat completions and responses."""
        return f"{self.server.url}/v1"

    def answer(self, message: str, response: Mapping[str, Any], **how: Any) -> None:
        """Answer requests whose last message holds `message`, from now on.

        `response` is `{"content": …}`, `{"toolCalls": […]}` or `{"error": …, "status": …}`; `how`
        holds what aimock calls `latency`, `chunkSize`, `truncateAfterChunks`, `chaos` and so on.
        """
        fixture = {"match": {"userMessage": message}, "response": response, **how}
        answer = self._call("POST", "/fixtures", json={"fixtures": [fixture]})
        assert answer == {"added": 1}, answer

    def requests(self) -> Sequence[dict[str, Any]]:
        """Return every request since the last reset: method, path, headers (lower case), body."""
        return list(self._call("GET", "/journal"))

    def reset(self) -> None:
        """Forget answers and requests."""
        self._call("POST", "/reset")

    def stop(self) -> None:
        """End it; it is gone when this returns."""
        self.server.stop()

    def _call(self, method: str, path: str, json: Any = None) -> Any:
        url = f"{self.server.url}/__aimock{path}"
        answer = httpx2.request(method, url, json=json, timeout=_SECONDS, trust_env=False)
        return answer.json()
