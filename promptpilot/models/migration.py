"""One numbered change of the schema, and which of them a database still needs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from promptpilot.errors import InvariantBroken, Misconfigured
from promptpilot.models.address import Dialect

_FILE_NAME = re.compile(
    r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<dialect>sqlite|postgres)\.sql"
)

#: The table that says what was applied. `applied_at` is in epoch milliseconds.
RECORDS_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered change, in the SQL of one dialect. Numbers start at 1 and leave no gap."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Return the checksum that tells whether an applied file was edited."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def title(self) -> str:
        """Return the name that people see, e.g. `0001_first`."""
        return f"{self.number:04}_{self.name}"


def read_migrations(folder: Traversable, dialect: Dialect) -> list[Migration]:
    """Return the dialect's migrations in order; raise InvariantBroken when one is missing."""
    found = [
        Migration(int(match["number"]), match["name"], file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE_NAME.fullmatch(file.name)) and match["dialect"] == dialect
    ]
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise InvariantBroken(f"the {dialect} migrations are not numbered 0001, 0002, …")
    return found


def outstanding(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Return what is still to be applied, given the checksum of each applied number.

    Raises Misconfigured, naming every fault, when the database was made by a newer program or
    by edited files; then it must not be touched.
    """
    by_number = {migration.number: migration for migration in known}
    faults = [
        f"DATABASE_URL: the database has migration {number:04}, which this program does not know. "
        "Start a newer version of PromptPilot, or restore a backup."
        for number in sorted(applied.keys() - by_number.keys())
    ]
    faults += [
        f"DATABASE_URL: migration {by_number[number].title} was applied with another content. "
        "Start the version of PromptPilot that applied it."
        for number in sorted(applied.keys() & by_number.keys())
        if applied[number] != by_number[number].sha256
    ]
    if faults:
        raise Misconfigured(faults)
    return [migration for migration in known if migration.number not in applied]
