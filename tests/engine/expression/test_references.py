"""Proves that everything an expression reads is known before it is evaluated."""

from __future__ import annotations

import pytest

from promptpilot.engine.expression import Reference, parse


def _read(*path: str, guarded: bool = False, dynamic: bool = False) -> Reference:
    return Reference(path, is_guarded=guarded, is_dynamic=dynamic)


@pytest.mark.parametrize(
    ("source", "references"),
    [
        ("1 + 2", set()),
        ("input", {_read("input")}),
        ("steps.draft.output.text", {_read("steps", "draft", "output", "text")}),
        ("steps['draft'].output", {_read("steps", "draft", "output")}),
        ("input.l[0].a", {_read("input", "l", "0", "a")}),
        ("$.a", {_read("payload", "a")}),
        ("steps[input.k].a", {_read("steps", dynamic=True), _read("input", "k")}),
        ("steps.?a.b", {_read("steps", "a", "b", guarded=True)}),
        ("has(steps.a.b)", {_read("steps", "a", "b", guarded=True)}),
        ("has(steps)", {_read("steps", guarded=True)}),
        (
            "default(steps.a + vars.b, c)",
            {_read("steps", "a", guarded=True), _read("vars", "b", guarded=True), _read("c")},
        ),
        ("steps.a.default(1)", {_read("steps", "a", guarded=True)}),
        ("input.l.map(x, x.a + vars.v)", {_read("input", "l"), _read("vars", "v")}),
        ("input.l.map(input, input.a)", {_read("input", "l")}),
        ("[1].map(x, x) + x", {_read("x")}),
        ("x.a[input.b]", {_read("x", "a", dynamic=True), _read("input", "b")}),
        ("[a].map(x, x[b])", {_read("a"), _read("b")}),
        ("!a && (b ? c : -d)", {_read("a"), _read("b"), _read("c"), _read("d")}),
        ("{a: [b]} == size(c)", {_read("a"), _read("b"), _read("c")}),
        ("(a.b).c + lower(d).e", {_read("a", "b"), _read("d")}),
        ("now < now()", set()),
    ],
)
def test_every_read_is_found(source: str, references: set[Reference]) -> None:
    assert parse(source).references == references
