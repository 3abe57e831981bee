"""A hostile server beside the tests: it outlives the processes that the tests kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

_ROOT = Path(__file__).parents[3]
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HostileProcess:
    """A hostile server in another process."""

    port: int

    def url(self, path: str = "") -> str:
        """Return the URL of `path`."""
        return f"http://127.0.0.1:{self.port}{path}"

    def requests(self) -> list[dict[str, Any]]:
        """Return what it saw so far, each as `SeenRequest.as_json` says."""
        answer = httpx2.get(self.url("/journal"), timeout=_SECONDS, trust_env=False)
        return list(answer.json()["requests"])

    def requests_at(self, path: str) -> list[dict[str, Any]]:
        """Return the requests of one path."""
        return [each for each in self.requests() if each["path"] == path]


@contextmanager
def hostile_process() -> Iterator[HostileProcess]:
    """Run a hostile server in a process of its own; it is killed at the end."""
    command = [sys.executable, "-m", "tests.support.hostile"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield HostileProcess(int(child.stdout.readline()))
        finally:
            child.kill()
