"""Proves that the ledger alone writes executions, their steps, their attempts and their events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, called_name, found_in, modules, name_of, tree_of

#: The ledger, the statements it speaks, and what carries them to the database.
_LEDGER = (
    "promptpilot/engine/ledger.py",
    "promptpilot/engine/interventions.py",
    "promptpilot/engine/sql/",
    "promptpilot/engine/commits/",
)
#: Where rows are held; in the rest of the packages a status may be one of HTTP.
_WRITERS = ("promptpilot/engine", "promptpilot/models", "promptpilot/schema", "workers")
_TABLES = "executions|step_executions|step_attempts|execution_events"
_ROWS = {"Execution", "StepExecution", "StepAttempt", "ExecutionEvent"}
_WRITES = {
    "create",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "save",
    "delete",
}
_ADDS_OR_REMOVES = re.compile(rf"\b(INSERT\s+INTO|DELETE\s+FROM)\s+({_TABLES})\b", re.IGNORECASE)
_CHANGES = re.compile(rf"\bUPDATE\s+({_TABLES})\b(.*?)(\bWHERE\b|\Z)", re.IGNORECASE | re.DOTALL)
_STATUS = re.compile(r"\bstatus\s*=", re.IGNORECASE)


def sql_faults(text: str) -> Iterator[str]:
    """Yield what a text writes that the ledger alone may write."""
    yield from (match.group(0) for match in _ADDS_OR_REMOVES.finditer(text))
    for match in _CHANGES.finditer(text):
        if _STATUS.search(match.group(2)):
            yield f"status of {match.group(1)}"


def faults(tree: ast.Module) -> Iterator[str]:
    """Yield every write of a row that belongs to the ledger."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from sql_faults(node.value)
        elif isinstance(node, ast.JoinedStr):
            yield from sql_faults(ast.unparse(node))
        elif isinstance(node, ast.Call):
            yield from _call_faults(node)
        elif isinstance(node, ast.Attribute) and _is_status_written(node):
            yield f"line {node.lineno}: .status ="


def _is_status_written(node: ast.Attribute) -> bool:
    return node.attr == "status" and isinstance(node.ctx, ast.Store)


def _call_faults(call: ast.Call) -> Iterator[str]:
    name = called_name(call)
    owner, _, verb = name.rpartition(".")
    if owner.split(".")[0] in _ROWS and verb in _WRITES:
        yield f"line {call.lineno}: {name}()"
    is_update = isinstance(call.func, ast.Attribute) and call.func.attr == "update"
    if is_update and any(keyword.arg == "status" for keyword in call.keywords):
        yield f"line {call.lineno}: update(status=)"


def _is_ledger(path: Path) -> bool:
    return name_of(path).startswith(_LEDGER)


def test_no_module_but_the_ledger_writes_an_execution() -> None:
    others = [path for path in modules(*_WRITERS) if not _is_ledger(path)]

    assert found_in(others, lambda path: faults(tree_of(path))) == {}


def test_every_statement_file_belongs_to_the_ledger_or_is_a_migration() -> None:
    others = [
        name_of(path)
        for path in (ROOT / "promptpilot").rglob("*.sql")
        if not _is_ledger(path) and "migrations" not in path.parts
    ]

    assert others == []


@pytest.mark.parametrize(
    "source",
    [
        "row.status = 'FAILED'",
        "Execution.filter(id=id).update(status='FAILED')",
        "ExecutionEvent.create(seq=1)",
        "sql = 'UPDATE executions SET owner = NULL, status = 1 WHERE id = 2'",
        "sql = 'insert into step_executions (id) values (1)'",
        "sql = f'DELETE FROM execution_events WHERE {where}'",
    ],
)
def test_a_write_beside_the_ledger_is_noticed(source: str) -> None:
    assert list(faults(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "is_over = row.status == 'FAILED'",
        "sql = \"UPDATE executions SET dispatched_at = 1 WHERE status = 'PENDING'\"",
        "sql = 'SELECT status FROM executions'",
    ],
)
def test_reading_a_status_is_free(source: str) -> None:
    assert list(faults(ast.parse(source))) == []
