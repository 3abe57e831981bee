"""Makes and changes the schema: applies numbered SQL files once each, in order, under a lock.

Each migration is two files, `NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql`.

Rules:
- A file never begins or ends a transaction: each migration is one, together with its record.
- An applied file is never edited; its checksum is kept and compared.
- On SQLite a migration runs with foreign keys off, because rebuilding a parent table would delete
  its children; before the commit every foreign key is checked.

After a crash: run it again; a migration that was not finished left nothing behind.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files
from importlib.resources.abc import Traversable

from promptpilot.models.address import Dialect, parse_url
from promptpilot.models.migrate_postgres import applied_on_postgres, apply_on_postgres
from promptpilot.models.migrate_sqlite import applied_on_sqlite, apply_on_sqlite
from promptpilot.models.migration import outstanding, read_migrations

#: The migrations of this version of the program.
MIGRATIONS: Traversable = files("promptpilot.models") / "migrations"


async def migrate(url: str, folder: Traversable = MIGRATIONS) -> list[str]:
    """Bring the schema up to date and return the titles of what was applied.

    May be called by any number of processes at once: one applies, the others wait and find
    nothing to do. Raises Misconfigured for a database of a newer program or with edited
    migrations, and Unavailable when the database does not answer; then nothing was changed.
    """
    address = parse_url(url)
    known = read_migrations(folder, address.dialect)
    if address.dialect is Dialect.SQLITE:
        return await asyncio.to_thread(apply_on_sqlite, address.path, known)
    return await apply_on_postgres(address.options, known)


async def pending(url: str, folder: Traversable = MIGRATIONS) -> list[str]:
    """Return the titles of what is still to be applied; changes nothing. Raises as `migrate`."""
    address = parse_url(url)
    known = read_migrations(folder, address.dialect)
    if address.dialect is Dialect.SQLITE:
        applied = await asyncio.to_thread(applied_on_sqlite, address.path)
    else:
        applied = await applied_on_postgres(address.options)
    return [migration.title for migration in outstanding(known, applied)]
