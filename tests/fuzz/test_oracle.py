"""Proves that the search would see a fault if it met one."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, parse, print_ast

from tests.fuzz.oracle import askable, complaint

SCHEMA = build_schema("""
    type Query { items(first: Int, last: Int, after: String): [Item!]! count: Int! }
    union Item = Word | Number
    type Word { text: String! }
    type Number { value: Int! }
""")
ASKED = parse("{ items { ... on Word { text } __typename } total: count }")
WORD = {"__typename": "Word", "text": "a"}


def _failed(code: str) -> dict[str, Any]:
    return {"errors": [{"message": "", "extensions": {"code": code}}]}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"items": [WORD, {"__typename": "Number"}], "total": 2}},
        {"data": {"items": [], "total": 0}},
        _failed("INVALID_INPUT"),
    ],
)
def test_what_a_server_may_answer_is_let_pass(answer: Any) -> None:
    assert complaint(SCHEMA, ASKED, 200, answer) == ""


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"data": {"items": [{"__typename": "Word", "text": 1}], "total": 2}}),
        (200, {"data": {"items": [{"__typename": "Word", "text": None}], "total": 2}}),
        (200, {"data": {"items": [{"__typename": "Letter"}], "total": 2}}),
        (200, {"data": {"items": [{**WORD, "more": 1}], "total": 2}}),
        (200, {"data": {"items": [WORD], "total": 2**31}}),
        (200, {"data": {"items": None, "total": 2}}),
        (200, _failed("INTERNAL_SERVER_ERROR")),
        (422, _failed("GRAPHQL_VALIDATION_FAILED")),
        (500, {}),
    ],
)
def test_what_a_server_must_not_answer_is_complained_of(status: int, answer: Any) -> None:
    assert complaint(SCHEMA, ASKED, status, answer) != ""


def test_pages_from_both_ends_are_asked_from_one() -> None:
    document = parse('{ items(first: 1, last: 2, after: "x") { ... on Word { text } } }')

    asked = " ".join(print_ast(askable(SCHEMA, document)).split())

    assert asked == "{ items(first: 1) { ... on Word { text } __typename } }"
