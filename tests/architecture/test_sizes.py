"""Proves that files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import found_in, modules, tree_of

_MAX_FILE_LINES = 400
_MAX_FUNCTION_LINES = 40
_MAX_TEST_LINES = 15
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_no_file_is_long() -> None:
    assert found_in(modules("promptpilot", "workers", "tests"), _too_many_lines) == {}


def test_no_function_is_long() -> None:
    assert found_in(modules("promptpilot", "workers", "tests"), _long_functions) == {}


def test_no_test_has_a_long_body() -> None:
    assert found_in(modules("tests"), _long_tests) == {}


def _too_many_lines(path: Path) -> Iterator[int]:
    count = len(path.read_text("utf-8").splitlines())
    if count > _MAX_FILE_LINES:
        yield count


def _long_functions(path: Path) -> Iterator[str]:
    for each in _functions(path):
        count = (each.end_lineno or 0) - each.lineno + 1
        if count > _MAX_FUNCTION_LINES:
            yield f"{each.name}: {count} lines"


def _long_tests(path: Path) -> Iterator[str]:
    for each in _functions(path):
        count = _body_lines(each)
        if each.name.startswith("test_") and count > _MAX_TEST_LINES:
            yield f"{each.name}: {count} lines"


def _functions(path: Path) -> Iterator[_Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, _Function))


def _body_lines(function: _Function) -> int:
    """Return how many lines of a body say something to the machine."""
    lines: set[int] = set()
    for node in function.body:
        if not _is_text(node):
            lines |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(lines)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
