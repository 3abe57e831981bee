"""Proves that documents are prepared once, within bounds, and that tools can introspect."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query

from promptpilot.front.documents import Documents
from promptpilot.front.errors import Refused
from promptpilot.front.limits import Limits
from tests.front.sample import schema


def test_a_document_is_prepared_once() -> None:
    documents = Documents(schema, Limits())

    assert documents.get("{ hello }") is documents.get("{ hello }")


def test_refused_documents_are_not_kept() -> None:
    documents = Documents(schema, Limits())

    with pytest.raises(Refused):
        documents.get("{ nothing }")

    assert len(documents) == 0


def test_the_document_used_longest_ago_is_forgotten_first() -> None:
    documents = Documents(schema, Limits(cached_documents=2))
    first = documents.get("{ a: hello }")
    second = documents.get("{ b: hello }")

    documents.get("{ a: hello }")
    documents.get("{ c: hello }")

    assert documents.get("{ a: hello }") is first
    assert documents.get("{ b: hello }") is not second


def test_large_documents_are_forgotten_sooner() -> None:
    documents = Documents(schema, Limits(cached_tokens=1000))

    for n in range(20):
        documents.get(f"{{ a{n}: hello(name: {'x' * 60_000!r}) }}".replace("'", '"'))

    assert len(documents) == 4


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "specified_by_url": True,
            "directive_is_repeatable": True,
            "schema_description": True,
            "input_value_deprecation": True,
        },
    ],
)
def test_the_introspection_of_tools_is_within_the_limits(options: dict[str, bool]) -> None:
    prepared = Documents(schema, Limits()).get(get_introspection_query(**options))

    assert list(prepared.operations) == ["IntrospectionQuery"]


@pytest.mark.parametrize(
    "query", ["{ __schema { queryType { name } } }", '{ __type(name: "A") { name } }']
)
def test_introspection_may_be_refused(query: str) -> None:
    documents = Documents(schema, Limits(is_introspection_allowed=False))

    with pytest.raises(Refused, match="introspection has been disabled"):
        documents.get(query)
    assert documents.get("{ __typename }").operations


def test_an_operation_is_chosen_by_name() -> None:
    prepared = Documents(schema, Limits()).get("query A { hello } query B { hello }")

    node = prepared.operation("B")

    assert node.name
    assert node.name.value == "B"
