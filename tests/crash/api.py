"""The server as callers of crash tests see it: it may be killed while they launch."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import httpx2

from tests.support.caller import Caller
from tests.support.effects import Manner
from tests.support.installation import Installation, Process

_BODY = json.dumps({"input": {"manner": Manner.QUICK.value}}).encode()


@dataclass
class Api:
    """A server at one address, and what it has acknowledged."""

    installation: Installation
    caller: Caller
    workflow_id: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    lost_answers: int = 0
    server: Process | None = None

    async def start(self, **settings: str) -> None:
        """Start the server and wait until it takes requests."""
        port = str(self.caller.port)
        self.server = self.installation.start("serve", PROMPTPILOT_PORT=port, **settings)
        await self.caller.until_served()

    def kill(self) -> None:
        """End the server with kill -9."""
        assert self.server is not None
        self.server.kill()

    async def launch(self, key: str) -> str:
        """Start one execution under a key and return its id."""
        return self._note(key, await self._post(key))

    async def try_to_launch(self, key: str) -> str | None:
        """Start one execution; return None when the server died, so that it may be there or not."""
        try:
            answer = await self._post(key)
        except httpx2.TransportError:
            self.lost_answers += 1
            return None
        is_starting = answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE
        return None if is_starting else self._note(key, answer)

    async def timed_launch(self, key: str) -> float:
        """Start one execution and return how many seconds the answer took."""
        began_at = time.monotonic()
        await self.launch(key)
        return time.monotonic() - began_at

    async def _post(self, key: str) -> httpx2.Response:
        path = f"/api/workflows/{self.workflow_id}/execute"
        return await self.caller.post(path, _BODY, idempotency_key=key)

    def _note(self, key: str, answer: httpx2.Response) -> str:
        assert answer.status_code == httpx2.codes.ACCEPTED, answer.text
        execution_id: str = answer.json()["executionId"]
        assert self.acknowledged.setdefault(key, execution_id) == execution_id
        return execution_id
