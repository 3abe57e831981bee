"""Master keys are made in the form that is read, and old ones can be taken out after a rotation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from typer.testing import CliRunner

from promptpilot import cli, keys
from promptpilot.clock import SystemClock
from promptpilot.engine.rekeying import Count
from promptpilot.engine.vault import Vault
from promptpilot.models import Credential
from promptpilot.models.database import Database, connect
from promptpilot.settings import Settings, parse_keys
from tests.support.backbones import settings_for
from tests.support.credentials import SECRET, draft, verbs
from tests.support.people import make_principal


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open a database for a while: the commands open one of their own."""
    database = await connect(url)
    yield database
    await database.close()


async def store_credential(settings: Settings) -> str:
    """Store a credential of somebody, and return its id."""
    clock, vault = SystemClock(), Vault(parse_keys(settings.master_keys.get_secret_value()))
    async with opened(settings.database_url) as database:
        principal = await make_principal("ada", clock)
        return (await verbs(database, vault, clock).create(principal, draft())).id


def with_keys(database_url: str, *ring: str) -> Settings:
    """Return settings with a key ring."""
    return settings_for(database_url, "redis://localhost:1/0", MASTER_KEYS=",".join(ring))


def test_a_new_key_is_in_the_form_that_settings_read() -> None:
    made = {keys.new_key() for _ in range(20)}

    ring = parse_keys(",".join(made))

    assert len(ring) == len({key for _, key in ring}) == 20


async def test_after_a_rotation_the_old_key_is_not_needed(database_url: str) -> None:
    old, new = keys.new_key(), keys.new_key()
    credential_id = await store_credential(with_keys(database_url, old))

    before = await keys.survey(with_keys(database_url, new, old))
    await keys.rotate(with_keys(database_url, new, old))

    after = await keys.survey(with_keys(database_url, new))
    async with opened(database_url):
        row = await Credential.get(id=credential_id)
    context = f"{row.workspace_id}|{row.id}|OPENAI"
    assert (before[0].old, after[0].old, keys.is_whole(after)) == (1, 0, True)
    assert Vault(parse_keys(new)).open(row.secret_sealed, context).reveal() == SECRET


async def test_what_does_not_open_is_told(database_url: str) -> None:
    credential_id = await store_credential(with_keys(database_url, keys.new_key()))

    counts = await keys.rotate(with_keys(database_url, keys.new_key()))

    assert not keys.is_whole(counts)
    assert f"  {credential_id} does not open and was left as it is" in keys.told(counts, "x")


def test_of_many_that_do_not_open_some_are_named() -> None:
    count = Count("credentials", 30, 0, tuple(f"cred_{number}" for number in range(25)))

    lines = list(keys.told([count], "sealed anew"))

    assert lines[0] == "credentials: 30 sealed, 0 sealed anew"
    assert (len(lines), lines[-1]) == (22, "  and 5 more")


def test_the_commands_print_a_key_and_what_was_done(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("PROMPTPILOT_JWT_SECRET", "x" * 40)
    key = CliRunner().invoke(cli.app, ["keys", "new"]).output.strip()
    monkeypatch.setenv("PROMPTPILOT_MASTER_KEYS", key)

    done = [CliRunner().invoke(cli.app, ["keys", "rotate", *each]) for each in ([], ["--dry-run"])]

    assert [each.exit_code for each in done] == [0, 0]
    assert "credentials: 0 sealed, 0 sealed anew" in done[0].output
    assert "credentials: 0 sealed, 0 with an old key" in done[1].output
