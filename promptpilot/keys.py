"""`promptpilot keys`: makes master keys, and seals what is stored anew with the first one."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from promptpilot import ids
from promptpilot.backbone import require_current_schema
from promptpilot.data_dir import load_or_create_secrets
from promptpilot.engine.rekeying import Count, Rekeying
from promptpilot.engine.vault import Vault
from promptpilot.models.database import connect
from promptpilot.settings import Settings, parse_keys

_KEY_BYTES = 32
_MAX_TOLD = 20


def new_key() -> str:
    """Return a fresh master key as the key ring has it: `<id>:<base64 of 32 bytes>`."""
    text = ids.new_secret(_KEY_BYTES)
    key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return f"k{ids.new_reference()[:6]}:{base64.b64encode(key).decode()}"


async def rotate(settings: Settings) -> list[Count]:
    """Seal everything with the first key of the ring; return what was found."""
    async with _open(settings) as rekeying:
        return await rekeying.rotate()


async def survey(settings: Settings) -> list[Count]:
    """Return what is sealed with an old key; change nothing."""
    async with _open(settings) as rekeying:
        return await rekeying.survey()


def told(counts: Sequence[Count], done: str) -> Iterator[str]:
    """Yield the counts as sentences; `done` says what was done with what an old key sealed."""
    for count in counts:
        yield f"{count.table}: {count.sealed} sealed, {count.old} {done}"
        for each in count.unopened[:_MAX_TOLD]:
            yield f"  {each} does not open and was left as it is"
        if len(count.unopened) > _MAX_TOLD:
            yield f"  and {len(count.unopened) - _MAX_TOLD} more"


def is_whole(counts: Sequence[Count]) -> bool:
    """Whether everything opens."""
    return not any(count.unopened for count in counts)


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Rekeying]:
    settings = load_or_create_secrets(settings)
    await require_current_schema(settings)
    synchronous = settings.sqlite_synchronous.value
    database = await connect(settings.database_url, pool_size=1, synchronous=synchronous)
    try:
        yield Rekeying(database, Vault(parse_keys(settings.master_keys.get_secret_value())))
    finally:
        await database.close()
