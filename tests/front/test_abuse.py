"""Proves that hostile requests are refused with 4xx after little work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.front.documents import Documents
from promptpilot.front.errors import Refused
from promptpilot.front.limits import Limits
from tests.front.endpoint import Front
from tests.front.sample import schema

BOMB = (
    "{ ...f0 }"
    + "".join(f" fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(25))
    + " fragment f25 on Query { hello }"
)
NAMED_BOMB = (
    "{ node { ...f0 } }"
    + "".join(
        f" fragment f{n} on Node {{ a: inner {{ ...f{n + 1} }} b: inner {{ ...f{n + 1} }} }}"
        for n in range(25)
    )
    + " fragment f25 on Node { name }"
)
DOCUMENTS = {
    "fragment bomb": BOMB,
    "aliased fragment bomb": NAMED_BOMB,
    "5,000 levels": "{ node " + "{ inner " * 5000 + "{ name }" + "}" * 5001,
    "300 levels": "{ node " + "{ inner " * 300 + "{ name }" + "}" * 301,
    "50,000 brackets": "{ echo(value: " + "[" * 50_000,
    "deep list": "{ echo(value: " + "[" * 900 + "]" * 900 + ") }",
    "6,000-digit integer": "{ number(value: " + "1" * 6000 + ") }",
    "6,000-digit integer in a free scalar": "{ echo(value: " + "1" * 6000 + ") }",
    "6,000-digit default": "query ($x: Int = " + "1" * 6000 + ") { number(value: $x) }",
    "repeated fields": "{" + "hello " * 1900 + "}",
    "repeated fields in inline fragments": "{" + "... { hello }" * 400 + "}",
    "repeated nested fields": "{ node {"
    + ("inner {" + "inner { name name } " * 10 + "}") * 10
    + "}}",
    "many aliases": "{" + " ".join(f"a{n}: hello" for n in range(400)) + "}",
    "many root fields": "{" + " ".join(f"x{n}" for n in range(400)) + "}",
    "many directives": "{ hello " + "@include(if: true) " * 300 + "}",
    "many operations": " ".join(f"query a{n} {{ hello }}" for n in range(300)),
    "many fragments": "{ hello }"
    + "".join(f" fragment f{n} on Query {{ hello }}" for n in range(200)),
    "fragment cycle": "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
    "unknown fragment": "{ ...nothing }",
    "comments": "# x\n" * 40_000 + "{ hello }",
    "deep introspection": "{ __schema { types "
    + "{ fields { type " * 6
    + "{ name }"
    + "}}" * 6
    + "}}",
    "not terminated": '{ hello(name: "',
    "only a fragment": "fragment a on Query { hello }",
    "a type definition": "type A { b: Int }",
    "empty subscription": "subscription { }",
}
BODIES = {
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
    "array": b"[]",
    "empty": b"",
    "invalid UTF-8": b'{"query": "\xff\xfe"}',
    "lone surrogate": rb'{"query": "{ hello }", "variables": {"a": "\ud800"}}',
    "50,000 brackets": b'{"query": "{ hello }", "variables": ' + b"[" * 50_000,
    "50,000 closed brackets": b'{"query": "{hello}", "variables": {"a":'
    + b"[" * 50_000
    + b"]" * 50_000
    + b"}}",
    "6,000-digit integer": b'{"query": "{ hello }", "variables": {"a": ' + b"1" * 6000 + b"}}",
    "NaN": b'{"query": "{ hello }", "variables": {"a": NaN}}',
}


CALLS = 400_000  # some tenths of a second; what grows faster than its document needs millions


@contextmanager
def little_work() -> Iterator[None]:
    """Fail when the block calls and returns from functions more often than one request may."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
    assert count < CALLS


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_hostile_document_is_refused_after_little_work(front: Front, name: str) -> None:
    with little_work():
        response = await front.ask(DOCUMENTS[name])

    assert 400 <= response.status_code < 500
    assert set(response.json()) == {"errors"}


@pytest.mark.parametrize("name", BODIES)
async def test_a_hostile_body_is_refused_after_little_work(front: Front, name: str) -> None:
    with little_work():
        response = await front.post(BODIES[name])

    assert 400 <= response.status_code < 500
    assert set(response.json()) == {"errors"}


async def test_a_deep_variable_is_answered_with_json(front: Front) -> None:
    value = b"[" * 1000 + b"]" * 1000
    body = b'{"query": "query ($v: JSON!) { echo(value: $v) }", "variables": {"v": %b}}' % value

    response = await front.post(body)

    assert json.loads(response.content)


@given(st.text())
def test_any_text_is_either_prepared_or_refused(text: str) -> None:
    documents = Documents(schema, Limits())

    with suppress(Refused):
        assert documents.get(text).operations
