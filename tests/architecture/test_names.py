"""Proves that modules are named for what they hold, say what they are for, and have their tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import PACKAGES, ROOT, found_in, modules, name_of, tree_of

_EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "service", "misc"}
#: Folders of tests that prove something across the packages.
_ACROSS = {
    "abuse",
    "architecture",
    "clients",
    "contract",
    "crash",
    "docs",
    "fuzz",
    "story",
    "support",
    "workers",
}
_EVERYTHING = modules(*PACKAGES, "tests")


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert found_in(_EVERYTHING, _empty_words) == {}


def test_every_module_says_what_it_is_for_in_its_first_line() -> None:
    assert found_in(_EVERYTHING, _docstring_faults) == {}


def test_every_module_delays_its_annotations() -> None:
    assert found_in(_EVERYTHING, _eager_annotations) == {}


def test_the_schema_is_made_by_migrations_alone() -> None:
    assert found_in(_EVERYTHING, _schema_generators) == {}


def test_every_folder_of_tests_mirrors_a_package_or_goes_across() -> None:
    folders = [path.parent.relative_to(ROOT / "tests") for path in modules("tests")]

    mirrored = {each for each in folders if each.parts and each.parts[0] not in _ACROSS}

    assert [each for each in mirrored if not (ROOT / "promptpilot" / each).is_dir()] == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in modules("tests")}

    assert [name_of(each) for each in folders if not (each / "__init__.py").is_file()] == []


def _empty_words(path: Path) -> set[str]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return {word for part in parts for word in part.lower().split("_")} & _EMPTY_WORDS


def _docstring_faults(path: Path) -> Iterator[str]:
    first, *_ = (ast.get_docstring(tree_of(path)) or "missing").splitlines()
    if not first.endswith(".") or first.startswith("This module"):
        yield first


def _eager_annotations(path: Path) -> Iterator[str]:
    imported = [node.module for node in tree_of(path).body if isinstance(node, ast.ImportFrom)]
    defines = any(isinstance(node, ast.AnnAssign | ast.FunctionDef) for node in tree_of(path).body)
    if defines and "__future__" not in imported:
        yield "from __future__ import annotations is missing"


def _schema_generators(path: Path) -> Iterator[int]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr == "generate_schemas":
            yield node.lineno
