"""Proves that the schema may be asked for, and that nobody gets it many times in one answer."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query, parse

from promptpilot.front.documents import Documents, core_schema
from promptpilot.front.errors import Refused
from promptpilot.front.introspection import Introspection
from promptpilot.front.limits import Limits
from tests.front.sample import schema

TYPES = "types { name fields { name type { name fields { name args { name } } } } }"
LEAVES = " ".join(f"a{n}: name" for n in range(28))


def _shares(text: str) -> list[float]:
    return Introspection(core_schema(schema)).shares(parse(text))


def _times(count: int, selection: str) -> str:
    return " ".join(f"a{n}: {selection}" for n in range(count))


@pytest.mark.parametrize(
    "text",
    [
        f"{{ {_times(15, f'__schema {{ {TYPES} }}')} }}",
        f"{{ __schema {{ {_times(15, TYPES)} }} }}",
        f"{{ {_times(15, '__schema { ...all }')} }} fragment all on __Schema {{ {TYPES} }}",
        f"{{ __schema {{ types {{ fields {{ type {{ fields {{ {LEAVES} }} }} }} }} }} }}",
        f"query A {{ __typename }} query B {{ {_times(15, f'__schema {{ {TYPES} }}')} }}",
    ],
)
def test_many_schemas_in_one_answer_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="times the whole schema by introspection") as refused:
        Documents(schema, Limits()).get(text)

    assert [each.extensions for each in refused.value.errors] == [{"code": "LIMIT_EXCEEDED"}]


def test_what_tools_ask_for_is_about_one_schema() -> None:
    assert 0.8 < _shares(get_introspection_query())[0] <= 1


def test_operations_are_told_apart() -> None:
    first, second = _shares(f"query A {{ hello }} query B {{ __schema {{ {TYPES} }} }}")

    assert first == 0
    assert second > 0


def test_one_type_costs_less_than_all() -> None:
    one, every = (
        '__type(name: "Query") { fields { name } }',
        "__schema { types { fields { name } } }",
    )

    assert 0 < _shares(f"{{ {one} }}")[0] < _shares(f"{{ {every} }}")[0]
