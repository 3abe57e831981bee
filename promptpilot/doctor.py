"""Finds out what keeps an installation from working, and says what to do about it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from rich.table import Table
from rich.text import Text

from promptpilot.bells import connect as connect_redis
from promptpilot.clock import Clock, SystemClock, from_ms
from promptpilot.data_dir import load_or_create_secrets
from promptpilot.engine.vault import Vault
from promptpilot.errors import Misconfigured, PromptPilotError
from promptpilot.models.address import Dialect, parse_url
from promptpilot.models.database import Database, connect
from promptpilot.models.migrate import pending
from promptpilot.redis_process import find_server
from promptpilot.settings import Settings, parse_keys

_MAX_SKEW = timedelta(seconds=2)
_ANSWER_SECONDS = 10.0

_VERSION = {Dialect.SQLITE: "SELECT sqlite_version() AS v", Dialect.POSTGRES: "SHOW server_version"}
_NOW = {
    Dialect.SQLITE: "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS ms",
    Dialect.POSTGRES: "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    is_well: bool
    text: str


async def examine() -> list[Finding]:
    """Look at everything; what cannot be looked at is a finding too."""
    try:
        settings = Settings.from_env()
    except Misconfigured as error:
        return [Finding("settings", is_well=False, text=fault) for fault in error.faults]
    findings = [Finding("settings", is_well=True, text=settings.mode.value)]
    checks = {"data folder": _data_folder, "secrets": _secrets, "redis": _redis}
    for name, check in checks.items():
        findings.append(await _look(name, check, settings))
    return findings + await _examine_database(settings)


def show(findings: list[Finding]) -> Table:
    """Return the findings as a table."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for _ in ("mark", "name", "text"):
        table.add_column(overflow="fold")
    for finding in findings:
        mark = Text("ok", "green") if finding.is_well else Text("wrong", "bold red")
        table.add_row(mark, Text(finding.name), Text(finding.text))
    return table


async def _look(
    name: str, check: Callable[[Settings], Awaitable[str]], settings: Settings
) -> Finding:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return Finding(name, is_well=True, text=await check(settings))
    except PromptPilotError as error:
        return Finding(name, is_well=False, text=error.message)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong is what was asked for
        reason = str(error) or type(error).__name__
        return Finding(name, is_well=False, text=f"it cannot be reached: {reason}")


async def _data_folder(settings: Settings) -> str:
    folder = settings.data_dir
    if settings.is_production:
        return "not used in production"
    if not folder.exists():
        return f"{folder} is made by `promptpilot up`"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Misconfigured([f"{folder} cannot be written to by this user."])
    return str(folder)


async def _secrets(settings: Settings) -> str:
    if not settings.is_production and not (settings.data_dir / "secrets.json").exists():
        return "are made by `promptpilot up`"
    known = load_or_create_secrets(settings)
    keys = parse_keys(known.master_keys.get_secret_value())
    Vault(keys)
    return f"a session secret and {len(keys)} master key(s)"


async def _redis(settings: Settings) -> str:
    if not settings.redis_url:
        server = await find_server()
        version = ".".join(str(part) for part in server.version)
        return f"{version}, started by `promptpilot up` from {server.path}"
    client = connect_redis(settings.redis_url)
    try:
        return str((await client.info("server"))["redis_version"])
    finally:
        await client.aclose()


async def _examine_database(settings: Settings) -> list[Finding]:
    address = parse_url(settings.database_url)
    if address.dialect is Dialect.SQLITE and not address.path.exists():
        text = f"{address.path} is made by `promptpilot up` or `promptpilot migrate`"
        return [Finding("database", is_well=True, text=text)]
    try:
        database = await connect(settings.database_url, pool_size=1)
    except PromptPilotError as error:
        return [Finding("database", is_well=False, text=error.message)]
    try:
        return [
            await _look("database", lambda _: _version(database), settings),
            await _look("schema", _schema, settings),
            await _look("clock", lambda _: _clock(database, SystemClock()), settings),
        ]
    finally:
        await database.close()


async def _version(database: Database) -> str:
    row = (await database.fetch(_VERSION[database.dialect]))[0]
    return f"{database.dialect.value} {next(iter(row.values()))}"


async def _schema(settings: Settings) -> str:
    if missing := await pending(settings.database_url):
        raise Misconfigured([f"{', '.join(missing)} must be applied: run `promptpilot migrate`."])
    return "up to date"


async def _clock(database: Database, clock: Clock) -> str:
    before = clock.now()
    theirs = from_ms((await database.fetch(_NOW[database.dialect]))[0]["ms"])
    middle = before + (clock.now() - before) / 2
    skew = abs(theirs - middle)
    if skew > _MAX_SKEW:
        text = f"{skew.total_seconds():.1f} s apart from the database's; synchronise both (NTP)."
        raise Misconfigured([f"The clock of this machine is {text}"])
    return f"{skew / timedelta(milliseconds=1):.0f} ms apart from the database's"
