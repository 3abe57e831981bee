"""The commands of the product, run as an operator runs them."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from promptpilot.schema.export import print_schema_text
from tests.support.processes import Command, Commands, free_port
from tests.support.redis import RedisServer

_READY = "starts nothing and answers the same id"


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    """Give a starter of commands, in an empty folder."""
    starter = Commands(tmp_path)
    yield starter
    starter.end_all()


class Embedded:
    """`promptpilot up` on a data folder of the test."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self._commands = commands
        self.settings = {"DATA_DIR": str(folder / "data"), "PORT": free_port()}

    def up(self, **settings: str) -> Command:
        """Start it."""
        return self._commands.start("up", **{**self.settings, **settings})


@pytest.fixture
def embedded(commands: Commands, tmp_path: Path) -> Embedded:
    """Give a data folder that does not exist yet."""
    return Embedded(commands, tmp_path)


def _run_curl(output: str) -> dict[str, Any]:
    """Run the curl command that was printed."""
    command = output[output.index("curl ") : output.index("\nThe same delivery")]
    words = shlex.split(command.replace("\\\n", " "))
    done = subprocess.run([*words, "-s", "--max-time", "10"], capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def test_a_first_start_shows_the_example_step_by_step(embedded: Embedded) -> None:
    output = await embedded.up().says(_READY)

    steps = ["extract", "looks_like_a_bug", "summarise_bug"]
    completed = [output.index(f"✓ {step:<18} COMPLETED") for step in steps]
    assert completed == sorted(completed)
    assert "- answer_question    SKIPPED" in output
    assert "· approve            WAITING" in output


async def test_the_printed_delivery_is_signed_and_starts_one_execution(embedded: Embedded) -> None:
    output = await embedded.up().says(_READY)

    first, second = _run_curl(output), _run_curl(output)

    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["executionId"] == second["executionId"]


async def test_a_later_start_prints_the_same_token_and_runs_nothing(embedded: Embedded) -> None:
    first = embedded.up()
    token = (await first.says(_READY)).split("Access token  ")[1].split()[0]
    await first.stop()

    second = await embedded.up().says(_READY)

    assert f"Access token  {token}" in second
    assert "delivery accepted" not in second


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well_and_leaves_no_redis(
    embedded: Embedded, number: signal.Signals
) -> None:
    running = embedded.up()
    await running.says(_READY)
    children = psutil.Process(running.child.pid).children()

    assert await running.stop(number) == 0

    assert children
    assert not any(child.is_running() for child in children)


async def test_a_killed_one_leaves_no_redis_and_starts_again(embedded: Embedded) -> None:
    running = embedded.up()
    await running.says(_READY)
    children = psutil.Process(running.child.pid).children()

    running.kill()

    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    await embedded.up().says(_READY)


async def test_a_second_one_on_the_same_folder_is_refused(embedded: Embedded) -> None:
    running = embedded.up()
    await running.says(_READY)

    second = embedded.up(PORT=free_port())

    assert await second.ends() == 2
    assert f"in use by process {running.child.pid}" in second.output


async def test_a_port_that_is_taken_is_named(embedded: Embedded, tmp_path: Path) -> None:
    await embedded.up().says(_READY)

    second = embedded.up(DATA_DIR=str(tmp_path / "other"))

    assert await second.ends() == 2
    assert "PROMPTPILOT_PORT" in second.output


async def test_secrets_are_kept_from_others(embedded: Embedded) -> None:
    await embedded.up().says(_READY)

    folder = Path(embedded.settings["DATA_DIR"])

    for name in ("owner.json", "secrets.json"):
        assert (folder / name).stat().st_mode & 0o077 == 0


async def test_schema_prints_the_schema(commands: Commands) -> None:
    command = commands.start("schema")

    assert await command.ends() == 0
    assert command.output == print_schema_text()


@pytest.mark.parametrize("name", ["serve", "worker", "scheduler"])
async def test_a_process_of_its_own_needs_a_redis(commands: Commands, name: str) -> None:
    command = commands.start(name, PORT=free_port())

    assert await command.ends() == 2
    assert "REDIS_URL" in command.output


@pytest.mark.parametrize("name", ["serve", "worker", "scheduler"])
async def test_a_process_refuses_a_database_that_is_not_migrated(
    commands: Commands, name: str, empty_database_url: str, redis_server: RedisServer
) -> None:
    urls = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_server.url}

    command = commands.start(name, PORT=free_port(), **urls)

    assert await command.ends() == 2
    assert "promptpilot migrate" in command.output


async def test_production_names_every_missing_setting(commands: Commands) -> None:
    command = commands.start("serve", ENV="production")

    assert await command.ends() == 2
    for name in ("JWT_SECRET", "MASTER_KEYS", "DATABASE_URL", "REDIS_URL"):
        assert name in command.output


async def test_migrate_brings_a_database_up_to_date(
    commands: Commands, empty_database_url: str
) -> None:
    first = commands.start("migrate", DATABASE_URL=empty_database_url)
    assert await first.ends() == 0

    second = commands.start("migrate", DATABASE_URL=empty_database_url)

    assert await second.ends() == 0
    assert "0001_foundation" in first.output
    assert "applied" not in second.output


async def test_a_healthy_installation_passes_the_doctor(
    commands: Commands, database_url: str, redis_server: RedisServer
) -> None:
    urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url}

    command = commands.start("doctor", **urls)

    assert await command.ends() == 0, command.output
    assert "wrong" not in command.output


async def test_the_doctor_names_what_is_wrong(
    commands: Commands, empty_database_url: str, redis_server: RedisServer
) -> None:
    redis_server.kill()
    urls = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_server.url}

    command = commands.start("doctor", **urls)

    assert await command.ends() == 1
    assert "redis" in command.output


async def test_an_unknown_setting_ends_every_command(commands: Commands) -> None:
    command = commands.start("migrate", PROT="1")

    assert await command.ends() == 2
    assert "PROMPTPILOT_PORT" in command.output
