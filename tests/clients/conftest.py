"""What tests of clients can ask for: the operations of the example app, and what tools made."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

from tests.support.node import run_node

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "examples" / "spa" / "operations"


@pytest.fixture(scope="session")
def exported() -> GraphQLSchema:
    """Give the schema that clients are given."""
    return build_schema((ROOT / "schema.graphql").read_text())


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with what graphql-codegen and relay-compiler made of the operations."""
    folder = tmp_path_factory.mktemp("spa")
    run_node("spa.mjs", ROOT / "schema.graphql", OPERATIONS, folder)
    return folder
