"""The pages of the documentation and the examples in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- (expect|until) ([A-Z_ ]+) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_MAKE = re.compile(r"\bmake ([a-z-]+)")


@dataclass(frozen=True, slots=True)
class Example:
    """A block that can be run.

    `expected` are the codes of the errors that it shows; `until` is the status that the execution
    in its answer has to come to.
    """

    language: str
    text: str
    expected: frozenset[str] = frozenset()
    until: str | None = None


def all_pages() -> list[Path]:
    """Return every page that people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def read(name: str) -> str:
    """Return a page by its name as it is seen from the root of the project."""
    return (ROOT / name).read_text("utf-8")


def examples(page: str, *languages: str) -> list[Example]:
    """Return the blocks of a page that are in one of these languages, in order."""
    found = _BLOCK.findall(page)
    return [
        Example(
            language,
            text,
            expected=frozenset(words.split() if promise == "expect" else ()),
            until=words if promise == "until" else None,
        )
        for promise, words, language, text in found
        if language in languages
    ]


def links(page: Path) -> list[str]:
    """Return where a page's links inside the project lead."""
    return [link for link in _LINK.findall(page.read_text("utf-8")) if "://" not in link]


def make_targets(page: str) -> set[str]:
    """Return the targets of make that a page names as code."""
    return {name for code in re.findall(r"`([^`\n]+)`", page) for name in _MAKE.findall(code)}


def codes_in_tables(page: str) -> set[str]:
    """Return the codes that stand in the first column of a page's tables."""
    return set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", page, re.MULTILINE))
