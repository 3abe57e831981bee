"""Proves that tests mock nothing, leave nothing out, and wait for signals instead of time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import called_name, found_in, modules, name_of, tree_of

#: A server that stands in for providers of models, which others wrote.
_SERVER = "aimock"
_SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep", "sleep"}
#: Who may let time pass, and why.
_MAY_SLEEP = {
    "tests/engine/commits/test_postgres.py",  # keeps a server away for a moment
    "tests/support/children.py",  # looks whether a foreign program is ready
    "tests/support/effects.py",  # is a model provider that takes its time
    "tests/support/waiting.py",  # waits, within a limit, for what another process does
}
_SKIPS = {"skip", "skipif", "xfail", "importorskip"}


def test_nothing_is_mocked() -> None:
    assert found_in(modules("tests"), _mocks) == {}


def test_nothing_sleeps() -> None:
    paths = [path for path in modules("tests") if name_of(path) not in _MAY_SLEEP]

    assert found_in(paths, _sleeps) == {}


def test_nothing_is_left_out() -> None:
    assert found_in(modules("tests"), _skips) == {}


def _mocks(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            yield from (name for name in names if "mock" in name.lower().replace(_SERVER, ""))


def _sleeps(path: Path) -> Iterator[int]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and called_name(node) in _SLEEPS and _takes_time(node):
            yield node.lineno


def _takes_time(call: ast.Call) -> bool:
    """Whether a sleep is more than giving the event loop a turn."""
    first = call.args[0] if call.args else None
    return not (isinstance(first, ast.Constant) and first.value == 0)


def _skips(path: Path) -> Iterator[int]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr in _SKIPS:
            yield node.lineno
