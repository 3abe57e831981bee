"""Proves that the process in which an execution runs alone finds what it needs by itself."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from promptpilot.engine.commits import open_committer
from promptpilot.engine.lease import monotonic
from promptpilot.engine.solo import Orders
from promptpilot.models.database import Database
from tests.support.bench import Bench
from tests.support.clock import ManualClock
from tests.support.drafts import transform
from tests.support.models import workflow
from tests.support.people import make_principal

_LEASE_MS = 15_000
_COMMAND = (sys.executable, "-m", "promptpilot", "solo")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_beside_an_embedded_server_it_takes_the_secrets_of_the_data_folder(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    committer = await open_committer(database)
    clock = ManualClock()
    principal = await make_principal("ada", clock)
    bench = Bench(database, committer, clock, principal.workspace_id)
    execution_id = await bench.launch(workflow(transform("a")))
    (claimed,) = await committer.claim("w1", 1, _LEASE_MS)
    env = {"DATABASE_URL": database_url, "PROMPTPILOT_DATA_DIR": str(tmp_path / "data")}

    child = await asyncio.create_subprocess_exec(*_COMMAND, stdin=PIPE, env=env)
    await child.communicate(Orders(claimed, _LEASE_MS, monotonic()).to_json())

    await committer.close()
    assert (child.returncode, (await bench.stored(execution_id)).status) == (0, "COMPLETED")
