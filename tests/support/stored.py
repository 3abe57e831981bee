"""What is stored, of a workflow and in all, read past the verbs."""

from __future__ import annotations

from typing import Any

from promptpilot.models import Workflow, WorkflowStep, WorkflowVersion
from promptpilot.models.database import Database, Dialect


async def step_names(workflow: Workflow) -> dict[str, str]:
    """Return id -> name of the stored steps, in order."""
    rows = await WorkflowStep.filter(workflow_id=workflow.id).order_by("position")
    return {row.id: row.name for row in rows}


async def version_of(workflow: Workflow) -> WorkflowVersion:
    """Return the version that new executions would pin."""
    return await WorkflowVersion.get(id=workflow.current_version_id)


async def stored(workflow: Workflow) -> Workflow:
    """Return the workflow as it is stored now."""
    return await Workflow.get(id=workflow.id)


async def dump(database: Database) -> str:
    """Return everything that the database holds."""
    return repr([*(await dump_tables(database)).values()])


async def dump_tables(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    named = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if database.dialect is Dialect.POSTGRES:
        named = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    tables = [row["name"] for row in await database.fetch(named)]
    # The names are those that the database itself tells.
    return {each: await database.fetch(f'SELECT * FROM "{each}"') for each in tables}  # noqa: S608 -- see above
