"""Proves that linters find nothing in the schema, and that it keeps what was promised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import ROOT
from tests.support.node import run_node

PROMISED = ROOT / "tests" / "schema" / "promised.graphql"
SCHEMA = ROOT / "schema.graphql"
LEAST_RULES = 24


def test_graphql_eslint_and_graphql_schema_linter_find_nothing() -> None:
    found = json.loads(run_node("lint.mjs", SCHEMA))

    assert found["ruleCount"] >= LEAST_RULES
    assert (found["eslint"], found["schemaLinter"]) == ([], [])


def test_nothing_that_was_promised_is_broken() -> None:
    assert _changes(PROMISED, SCHEMA)["BREAKING"] == []


@pytest.mark.parametrize(
    ("stands", "stood", "told"),
    [
        ("  viewer: User\n", "  me: User\n", "Field 'viewer' was removed from object type 'Query'"),
        (
            "  email: String\n",
            "  email: Int\n",
            "Field 'User.email' changed type from 'String' to 'Int'",
        ),
    ],
    ids=["gone", "of another type"],
)
def test_a_broken_promise_is_told(tmp_path: Path, stands: str, stood: str, told: str) -> None:
    changed = tmp_path / "changed.graphql"
    text = PROMISED.read_text()
    assert stands in text

    changed.write_text(text.replace(stands, stood, 1))

    assert told in _changes(PROMISED, changed)["BREAKING"]


def test_what_linters_look_for_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.graphql"
    bad.write_text("type Query { getThings: [Int!] }\ntype lone { x: Int }\n")

    found = json.loads(run_node("lint.mjs", bad))

    rules = {each.rpartition("/")[2] for each in found["eslint"]}
    assert {"naming-convention)", "no-unreachable-types)", "require-description)"} <= rules
    assert any("types-have-descriptions" in each for each in found["schemaLinter"])


def _changes(before: Path, after: Path) -> dict[str, Any]:
    """Return the changes between two schemas, by how much they break."""
    found: dict[str, Any] = json.loads(run_node("diff.mjs", before, after))
    return found
