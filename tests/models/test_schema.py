"""The migrated schema and the tables of the program say the same, on both databases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from tortoise.fields import BigIntField, BooleanField, Field, FloatField, IntField, TextField
from tortoise.models import Model

from promptpilot import models
from promptpilot.models.columns import EnumTextField, InstantField, JsonField, KeyField, Row
from promptpilot.models.database import Database, Dialect

_FAMILIES: dict[type[Field[Any]], str] = {
    KeyField: "text",
    TextField: "text",
    EnumTextField: "text",
    InstantField: "integer",
    BigIntField: "integer",
    IntField: "integer",
    BooleanField: "boolean",
    FloatField: "real",
    JsonField: "json",
}
#: SQLite has no booleans and no JSON; they are kept as integers and texts.
_SQLITE_FAMILIES = {"boolean": "integer", "json": "text"}
_POSTGRES_FAMILIES = {
    "bigint": "integer",
    "integer": "integer",
    "double precision": "real",
}

_SQLITE_COLUMNS = """
SELECT t.name AS "table", c.name, lower(c.type) AS type, c."notnull" = 0 AND c.pk = 0 AS nullable
FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
"""
_POSTGRES_COLUMNS = """
SELECT table_name AS "table", column_name AS name, data_type AS type,
       is_nullable = 'YES' AS nullable
FROM information_schema.columns WHERE table_schema = 'public'
"""


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """What a database and the program must agree on."""

    table: str
    name: str
    family: str
    is_nullable: bool


def _tables() -> list[type[Model]]:
    found = [value for value in vars(models).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, Model) and not value._meta.abstract]


def _declared(dialect: Dialect) -> list[Column]:
    """Return the columns that the program declares."""
    columns = []
    for table in _tables():
        for name, field in table._meta.fields_map.items():
            family = _FAMILIES[type(field)]
            if dialect is Dialect.SQLITE:
                family = _SQLITE_FAMILIES.get(family, family)
            columns.append(Column(table._meta.db_table, name, family, field.null))
    return sorted(columns)


async def _migrated(database: Database) -> list[Column]:
    """Return the columns that the database has."""
    is_sqlite = database.dialect is Dialect.SQLITE
    rows = await database.fetch(_SQLITE_COLUMNS if is_sqlite else _POSTGRES_COLUMNS)
    return sorted(
        Column(
            row["table"],
            row["name"],
            row["type"] if is_sqlite else _POSTGRES_FAMILIES.get(row["type"], row["type"]),
            bool(row["nullable"]),
        )
        for row in rows
        if row["table"] != "schema_migration"
    )


async def test_the_migrated_schema_is_what_the_tables_declare(database: Database) -> None:
    assert await _migrated(database) == _declared(database.dialect)


async def test_every_table_can_be_read(database: Database) -> None:
    assert [await table.all().limit(1) for table in _tables()] == [[] for _ in _tables()]


@pytest.mark.parametrize("table", _tables(), ids=lambda table: table.__name__)
def test_every_table_takes_json_as_it_is(table: type[Model]) -> None:
    assert issubclass(table, Row)
