"""A server as a reader starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.docs.reader import Reader
from tests.support.children import start_child, stop_child, wait_until_ready


@dataclass(frozen=True)
class Started:
    """What `promptpilot up` started, and what it printed."""

    url: str
    output: Path
    child: subprocess.Popen[bytes]


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Give a running `promptpilot up` with a data folder of its own."""
    folder = tmp_path_factory.mktemp("up")
    port = _free_port()
    own = {
        "PROMPTPILOT_DATA_DIR": str(folder / "data"),
        "PROMPTPILOT_PORT": str(port),
        "PROMPTPILOT_EGRESS_ALLOW": "127.0.0.1",
    }
    passed_on = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    log = folder / "output"
    program = Path(sys.executable).parent / "promptpilot"
    child = start_child([program, "up"], log, env={**passed_on, **own, "HOME": str(folder)})
    url = f"http://127.0.0.1:{port}"
    wait_until_ready(child, lambda: _is_ready(url), log)
    yield Started(url, log, child)
    stop_child(child, signal.SIGTERM)


@pytest.fixture
async def reader(started: Started) -> Reader:
    """Give somebody with a fresh account on the server."""
    somebody = Reader(started.url)
    await somebody.sign_up()
    return somebody


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
