"""Proves that the statements are found by name, and that both dialects have what a store needs."""

from __future__ import annotations

from promptpilot.engine.sql import statements
from promptpilot.models.address import Dialect


def test_every_statement_of_a_dialect_has_a_name_and_a_body() -> None:
    for dialect in Dialect:
        found = statements(dialect)

        assert all(body and not body.endswith(";") for body in found.values())


def test_both_dialects_know_every_kind_of_write() -> None:
    shared = {"open", "claim", "renew", "record", "recorded", "stored"}

    assert all(shared <= statements(dialect).keys() for dialect in Dialect)


def test_a_file_is_read_once() -> None:
    assert statements(Dialect.SQLITE) is statements(Dialect.SQLITE)
