"""The source files of the project, as text and as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("promptpilot", "workers")
_TEXT_SUFFIXES = {".py", ".md", ".toml", ".lock", ".sql", ".graphql", ".json", ".html", ".yml", ""}
_FOLDERS = (*PACKAGES, "tests", "docs", "examples", "benchmarks", "deploy", "requirements", ".ci")
_MADE = {"__pycache__", "node_modules"}


def modules(*folders: str) -> list[Path]:
    """Return every Python file below these folders of the project."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not _MADE & set(path.parts))


def texts() -> Iterator[Path]:
    """Yield every text file of the project that a person or a tool wrote."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in _TEXT_SUFFIXES)
    for folder in _FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in _TEXT_SUFFIXES and not _MADE & set(path.parts):
                yield path


def name_of(path: Path) -> str:
    """Return a file's name as it is seen from the root of the project."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text("utf-8"), str(path))


def found_in(paths: Iterable[Path], find: Callable[[Path], Iterable[object]]) -> dict[str, object]:
    """Return what `find` yields for each file, by name, without the files it finds nothing in."""
    found = {name_of(path): list(find(path)) for path in paths}
    return {name: each for name, each in found.items() if each}


def called_name(call: ast.Call) -> str:
    """Return the dotted name of what is called, as far as it is one: `asyncio.sleep`."""
    parts: list[str] = []
    node = call.func
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))
