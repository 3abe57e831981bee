"""Columns that mean the same on SQLite and PostgreSQL: instants, JSON and enumerations.

Units: an instant is an aware UTC `datetime` in Python and epoch milliseconds in the database.
Rules: a JSON value is checked before it is stored, because SQLite would accept what PostgreSQL
refuses (NUL) and both would accept what no client can read (NaN, lone surrogates).
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from tortoise.fields import Field
from tortoise.models import Model

from promptpilot.clock import from_ms, to_ms
from promptpilot.errors import InvariantBroken
from promptpilot.json_values import MAX_JSON_DEPTH, check_json, dump_json, encode_json, load_json

__all__ = [
    "MAX_JSON_DEPTH",
    "EnumTextField",
    "InstantField",
    "JsonField",
    "KeyField",
    "Row",
    "check_json",
    "dump_json",
    "encode_json",
    "load_json",
]


class Row(Model):
    """Base of every table: takes JSON values as they are.

    Tortoise passes the arguments of a constructor through the column's reader, which would take
    a JSON string for the text of a JSON document.
    """

    class Meta:
        abstract = True

    def _set_kwargs(self, kwargs: dict[str, Any]) -> set[str]:
        columns = self._meta.fields_map
        values = {k: v for k, v in kwargs.items() if isinstance(columns.get(k), JsonField)}
        others = {k: v for k, v in kwargs.items() if k not in values}
        passed = super()._set_kwargs(others)
        for name, value in values.items():
            setattr(self, name, value)
        return passed | values.keys()

    @classmethod
    def _init_from_db(cls, **columns: Any) -> Self:
        """Read a row, as Tortoise does.

        Tortoise takes twice the time for a row that lacks columns; here it reads them as NULL, and
        they are taken away again.
        """
        lacking = cls._meta.db_fields - columns.keys()
        row = super()._init_from_db(**dict.fromkeys(lacking), **columns)
        if lacking:
            row._partial = True  # noqa: SLF001 -- so that Tortoise does not save it
            for name in lacking:
                delattr(row, name)
        return row


class KeyField(Field[str]):
    """A text that is the primary key. Declare it as `id: str = KeyField()`."""

    SQL_TYPE = "TEXT"
    field_type = str

    if TYPE_CHECKING:

        def __new__(cls, **kwargs: Any) -> Any:
            """Let a row declare the column as a text."""

    else:

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(primary_key=True, **kwargs)


class InstantField(Field[datetime], datetime):
    """An instant: aware and UTC in Python, epoch milliseconds (BIGINT) in the database.

    Declare it as `created_at: datetime = InstantField()` or, where NULL means "not yet",
    as `finished_at: datetime | None = InstantField(null=True)`.
    """

    SQL_TYPE = "BIGINT"

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> int | None:
        """Return epoch milliseconds; raise InvariantBroken for an instant without a zone."""
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise InvariantBroken(f"{self.model_field_name} needs an aware instant, not {value!r}")
        return to_ms(value)

    def to_python_value(self, value: Any) -> datetime | None:
        """Return the aware UTC instant, cut to milliseconds as the database keeps it."""
        if value is None:
            return None
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise InvariantBroken(f"{self.model_field_name} needs an aware instant")
            return from_ms(to_ms(value.astimezone(UTC)))
        return from_ms(int(value))


class JsonField(Field[Any]):
    """A JSON value: TEXT on SQLite, JSON (which keeps the order of keys) on PostgreSQL.

    Rows that have one derive from `Row`. SQL NULL is None; so is JSON's null.
    """

    SQL_TYPE = "TEXT"
    indexable = False
    field_type = object

    class _db_postgres:  # noqa: N801 - Tortoise finds the dialect by this name
        SQL_TYPE = "JSON"

    if TYPE_CHECKING:

        def __new__(cls, **kwargs: Any) -> Any:
            """Let a row declare the type that it keeps in the column."""

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> str | None:
        """Return the JSON text; raise InvalidInput for what JSON cannot say."""
        return None if value is None else dump_json(value, (self.model_field_name,))

    def to_python_value(self, value: Any) -> Any:
        """Return the value that a JSON text from the database says."""
        return load_json(value) if isinstance(value, str | bytes) else value


class EnumTextField(Field[StrEnum]):
    """A text column that keeps the value of a `StrEnum` and gives back its member.

    Declare it as `status: Status = EnumTextField(Status)`.
    """

    SQL_TYPE = "TEXT"
    field_type = str
    enum: type[StrEnum]

    if TYPE_CHECKING:

        def __new__(cls, enum: type[StrEnum], **kwargs: Any) -> Any:
            """Let a row declare the enumeration that it keeps in the column."""

    else:

        def __init__(self, enum: type[StrEnum], **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.enum = enum

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> str | None:
        """Return the member's value; raise ValueError for what is no member."""
        return None if value is None else self.enum(value).value

    def to_python_value(self, value: Any) -> StrEnum | None:
        """Return the member; raise ValueError when the database holds something else."""
        return None if value is None else self.enum(value)
