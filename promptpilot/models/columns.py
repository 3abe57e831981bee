"""Columns that mean the same on SQLite and PostgreSQL: instants, JSON and enumerations.

Units: an instant is an aware UTC `datetime` in Python and epoch milliseconds in the database.
Rules: a JSON value is checked before it is stored, because SQLite would accept what PostgreSQL
refuses (NUL) and both would accept what no client can read (NaN, lone surrogates).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson
from tortoise.fields import Field
from tortoise.models import Model

from promptpilot.clock import from_ms, to_ms
from promptpilot.errors import InvalidInput, InvariantBroken

Path = tuple[str | int, ...]

#: How many lists and objects may lie inside one another.
MAX_JSON_DEPTH = 64
#: About 2,400 digits; far below where Python refuses to print an integer.
_MAX_INTEGER_BITS = 8192
#: orjson would read such a number as a float and lose its last digits.
_LONG_INTEGER = re.compile(r"\d{19}")


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


def dump_json(value: Any, path: Path = ()) -> str:
    """Return the compact JSON text of a value; raise InvalidInput when it has none."""
    check_json(value, path)
    return encode_json(value)


def encode_json(value: Any) -> str:
    """Return the compact JSON text of a value that was checked before."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # an integer over 64 bit
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def load_json(text: str | bytes) -> Any:
    """Return the value of a JSON text from the database, long integers exact."""
    text = text.decode() if isinstance(text, bytes) else text
    return json.loads(text) if _LONG_INTEGER.search(text) else orjson.loads(text)


def check_json(value: Any, path: Path = ()) -> None:
    """Raise InvalidInput, naming the path, for a value that not every part can store and read.

    Refused are NaN and infinities, NUL and lone surrogates in texts and keys, keys that are not
    texts, more than 64 levels, integers of thousands of digits, and what is not JSON at all.
    """
    _check(value, path, MAX_JSON_DEPTH)


def _check(value: Any, path: Path, depth_left: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int | float):
        _check_number(value, path)
    elif isinstance(value, dict | list | tuple):
        _check_children(value, path, depth_left)
    else:
        raise _refusal(path, f"a {type(value).__name__} is not JSON")


def _check_children(value: Any, path: Path, depth_left: int) -> None:
    if depth_left == 0:
        raise _refusal(path[:4], f"more than {MAX_JSON_DEPTH} levels")
    if not isinstance(value, dict):
        for position, item in enumerate(value):
            _check(item, (*path, position), depth_left - 1)
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise _refusal(path, f"the key {key!r} is not a text")
        _check_text(key, path)
        _check(item, (*path, key), depth_left - 1)


def _check_text(text: str, path: Path) -> None:
    if "\x00" in text:
        raise _refusal(path, "the character NUL (\\u0000) cannot be stored")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refusal(
            path, "half a surrogate pair (\\ud800 to \\udfff) cannot be stored"
        ) from None


def _check_number(number: float, path: Path) -> None:
    if isinstance(number, int):
        if number.bit_length() > _MAX_INTEGER_BITS:
            raise _refusal(path, "an integer with thousands of digits")
    elif number - number != 0:  # holds for NaN and for both infinities alone
        raise _refusal(path, f"{number} is not a JSON number")


def _refusal(path: Path, reason: str) -> InvalidInput:
    place = ".".join(str(part) for part in path) or "the value"
    return InvalidInput(f"{place}: {reason}", path)
