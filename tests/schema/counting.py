"""Counts the statements that an answer costs, on both databases alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from promptpilot.models.database import Database


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Give the list that every statement is added to until the context ends."""
    statements: list[str] = []
    client = type(database._connection)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute_query", "execute_query_dict"):
            patch.setattr(client, name, _noting(getattr(client, name), statements))
        yield statements


def _noting(execute: Any, statements: list[str]) -> Any:
    async def note(self: Any, query: str, values: Any = None) -> Any:
        if not statements or statements[-1] is not query:  # one of the two calls the other
            statements.append(query)
        return await execute(self, query, values)

    return note
