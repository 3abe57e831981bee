"""Server processes of the tests: they end with the test process, however it ends."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.005
_STOP_SECONDS = 10.0


def package_folder(package: str) -> Path:
    """Return where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def start_child(
    command: Sequence[str | Path],
    log: Path,
    user: int | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server that is killed when the starting process dies; output goes to the log.

    It has a session of its own, so that Ctrl-C reaches the test runner alone, which then stops it.
    Call it from a thread that outlives the server: for the system, the thread is the parent.
    `user` is the id of the system user (and group) to run as; `env` its whole environment, when
    it is not to have that of the test.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no locks
            cwd=log.parent,
            env=env,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def wait_until_ready(
    child: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path
) -> None:
    """Return as soon as the server answers; fail with its log when it ends or takes too long."""
    give_up_at = time.monotonic() + _READY_SECONDS
    while not is_ready():
        if child.poll() is not None or time.monotonic() > give_up_at:
            child.kill()
            raise AssertionError(f"{child.args!r} did not start:\n{log.read_text()}")
        time.sleep(_POLL_SECONDS)


def stop_child(child: subprocess.Popen[bytes], gently: signal.Signals) -> None:
    """Stop a server; kill it when it has not ended after ten seconds."""
    if child.poll() is None:
        child.send_signal(gently)
        child.send_signal(signal.SIGCONT)
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


#: Looked up before any fork, because a child of a process with threads may take no lock.
_PRCTL = ctypes.CDLL(None).prctl


def _die_with_parent() -> None:
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:  # the parent died before the call
        os._exit(1)
