"""Proves that the reference pages are complete and that pages name what exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from promptpilot.engine import lifecycle, reasons
from promptpilot.engine.events import EventKind
from promptpilot.engine.expression import failures
from promptpilot.engine.template import TEMPLATE_UNRESOLVED
from promptpilot.engine.triggers.signatures import FailureCode
from promptpilot.errors import PromptPilotError
from promptpilot.rest.errors import WorkflowInactive
from promptpilot.schema.enums import UserErrorCode
from tests.docs.pages import (
    ROOT,
    all_pages,
    codes_in_tables,
    examples,
    links,
    make_targets,
    read,
)

_CODE = re.compile(r"[A-Z]+(_[A-Z0-9]+)*")
_MAX_README_WORDS = 600
#: What is called with a code as one of its arguments.
_BEARERS = {"Fault", "StepFailed", "_Problem", "refusal", "coded", "problem"}


def test_the_diagram_is_the_one_that_the_code_draws() -> None:
    (diagram,) = examples(read("docs/WORKFLOW_ENGINE.md"), "mermaid")

    assert diagram.text.rstrip("\n") == lifecycle.mermaid()


def test_every_error_code_has_its_row() -> None:
    documented = codes_in_tables(read("docs/ERRORS.md"))

    assert _codes() - documented == set()


def test_no_row_is_about_a_code_that_does_not_exist() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "promptpilot").rglob("*.py"))

    documented = codes_in_tables(read("docs/ERRORS.md"))

    assert {code for code in documented if f'"{code}"' not in source} == set()


def test_every_kind_of_event_has_its_row() -> None:
    documented = codes_in_tables(read("docs/EVENTS.md"))

    assert documented == {kind.value for kind in EventKind}


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{page.name}: {link}"
        for page in all_pages()
        for link in links(page)
        if not (page.parent / link).exists()
    ]

    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = {(ROOT / "docs" / link).resolve() for link in links(ROOT / "docs" / "README.md")}

    pages = set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs" / "README.md"}

    assert pages - index == set()


def test_every_make_target_on_a_page_exists() -> None:
    known = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))

    named = set().union(*(make_targets(page.read_text("utf-8")) for page in all_pages()))

    assert named - known == set()


def test_the_glossary_is_in_order() -> None:
    words = re.findall(
        r"^\| ([A-Z][\w ]+?)(?: \(\w+\))? \|", read("docs/glossary.md"), re.MULTILINE
    )

    assert words == sorted(words, key=str.lower)


def test_the_readme_is_short() -> None:
    assert len(read("README.md").split()) <= _MAX_README_WORDS


def _codes() -> set[str]:
    """Return every code that the product gives."""
    constants = {*_texts_of(reasons), *_texts_of(failures), TEMPLATE_UNRESOLVED}
    return constants | {
        WorkflowInactive.code,
        *(kind.code for kind in _subclasses(PromptPilotError)),
        *_values(FailureCode),
        *_values(UserErrorCode),
        *_written_codes(ROOT / "promptpilot"),
    }


def _subclasses(kind: type[PromptPilotError]) -> Iterator[type[PromptPilotError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _subclasses(each)


def _values(kind: type[StrEnum]) -> set[str]:
    return {member.value for member in kind}


def _texts_of(module: object) -> set[str]:
    texts = [value for name, value in vars(module).items() if name.isupper()]
    return {each for each in texts if isinstance(each, str)}


def _written_codes(folder: Path) -> Iterator[str]:
    """Yield the codes that stand in a call, in a fault, or beside the key `code`."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield from filter(_CODE.fullmatch, _texts_in(node))


def _texts_in(node: ast.AST) -> list[str]:
    match node:
        case ast.Call(func=func, args=args) if ast.unparse(func) in _BEARERS:
            return _constants(args)
        case ast.Yield(value=ast.Tuple(elts=[first, *_])):
            return _constants([first])
        case ast.Dict(keys=[ast.Constant(value="code"), *_], values=[first, *_]):
            return _constants([first])
        case _:
            return []


def _constants(nodes: list[ast.expr]) -> list[str]:
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]
