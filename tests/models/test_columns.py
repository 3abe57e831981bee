"""Instants, JSON and enumerations come back from the database as they went in, or are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.errors import InvalidInput, InvariantBroken
from promptpilot.models import ExecutionEvent, StepExecution
from promptpilot.models.columns import (
    EnumTextField,
    InstantField,
    check_json,
    dump_json,
    load_json,
)
from promptpilot.models.database import Database

_NOON = datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)

_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS
_JSON = st.recursive(
    _SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)

_KEPT: list[Any] = [
    {"b": 1, "a": [True, None, 1.5], "é": "🦆"},
    "123",
    "null",
    '{"text": "that looks like JSON"}',
    2**80,
    [],
    0,
    False,
]
_REFUSED: dict[str, Any] = {
    "NaN": {"a": [1, float("nan")]},
    "infinity": {"a": float("-inf")},
    "NUL": "nul \x00",
    "NUL in a key": {"key \x00": 1},
    "half a surrogate pair": "half \ud800",
    "half a surrogate pair in a key": {"\udfff": 1},
    "a number as key": {1: "one"},
    "an object": [object()],
    "an integer of 4000 digits": 10**4000,
}


class Fruit(StrEnum):
    """Something to choose from."""

    APPLE = "APPLE"


async def _store_output(output: Any) -> Any:
    """Store a step's output and return what the database gives back."""
    await StepExecution.all().delete()
    row = StepExecution(
        execution_id="x", path="1", position=0, step_id="s", step_name="n", step_type="PROMPT",
        status="COMPLETED", attempt=1, fence=1, finished_at=_NOON, output=output,
    )  # fmt: skip
    await row.save()
    return (await StepExecution.get(execution_id="x")).output


async def _store_instant(seq: int, at: datetime) -> None:
    await ExecutionEvent.create(execution_id="x", seq=seq, kind="TEST", at=at)


@given(_JSON)
def test_a_json_value_survives_writing_and_reading(value: Any) -> None:
    assert load_json(dump_json(value)) == value


async def test_the_database_gives_json_back_as_it_was(database: Database) -> None:
    stored = [await _store_output(value) for value in _KEPT]

    assert stored == _KEPT
    assert [type(value) for value in stored] == [type(value) for value in _KEPT]


async def test_the_order_of_keys_is_kept(database: Database) -> None:
    stored = await _store_output({"z": 1, "a": 2, "m": 3})

    assert list(stored) == ["z", "a", "m"]


@pytest.mark.parametrize("name", _REFUSED)
def test_what_json_cannot_say_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        dump_json(_REFUSED[name])


async def test_what_is_refused_is_not_stored(database: Database) -> None:
    for value in _REFUSED.values():
        with pytest.raises(InvalidInput):
            await _store_output(value)

    assert await StepExecution.all().count() == 0


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(InvalidInput, match=r"input\.items\.1\.price: nan") as refused:
        check_json({"items": [{}, {"price": float("nan")}]}, ("input",))

    assert refused.value.path == ("input", "items", "1", "price")


def test_64_levels_are_enough_and_65_too_many() -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]

    check_json(value)
    with pytest.raises(InvalidInput, match="more than 64 levels"):
        check_json([value])


async def test_an_instant_comes_back_in_utc(database: Database) -> None:
    east = _NOON.astimezone(timezone(timedelta(hours=9)))

    await _store_instant(1, east)

    event = await ExecutionEvent.get(execution_id="x")
    assert event.at == _NOON
    assert event.at.tzinfo is UTC
    assert await database.fetch("SELECT at FROM execution_events") == [{"at": 1767268800123}]


async def test_instants_are_compared_as_instants(database: Database) -> None:
    for hour in range(4):
        await _store_instant(hour + 1, _NOON + timedelta(hours=hour))

    one_oclock = (_NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-7)))
    later = await ExecutionEvent.filter(at__gt=one_oclock).order_by("-at")
    between = await ExecutionEvent.filter(at__range=(one_oclock, _NOON + timedelta(hours=2)))

    assert [event.seq for event in later] == [4, 3]
    assert {event.seq for event in between} == {2, 3}


async def test_an_instant_may_be_missing(database: Database) -> None:
    await _store_output("done")

    assert (await StepExecution.filter(wake_at__isnull=True).get()).wake_at is None


def test_an_instant_without_a_zone_is_a_bug() -> None:
    with pytest.raises(InvariantBroken):
        InstantField().to_db_value(_NOON.replace(tzinfo=None), ExecutionEvent)


def test_an_enumeration_is_stored_as_its_value() -> None:
    field = EnumTextField(Fruit)

    assert field.to_db_value(Fruit.APPLE, ExecutionEvent) == "APPLE"
    assert field.to_python_value("APPLE") is Fruit.APPLE
    assert field.to_python_value(None) is None
    with pytest.raises(ValueError, match="PEAR"):
        field.to_db_value("PEAR", ExecutionEvent)
