"""Proves that a workflow shows what would keep it from running now."""

from __future__ import annotations

from typing import Any

from promptpilot.models.database import Database
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.schema.documents import SIMULATOR, make_workflow

ISSUES = """query ($id: ID!) {
  workflow(id: $id) { issues { severity code path step { name } } }
}"""
ALL = "{ workflows(first: 20) { nodes { issues { code } } } }"


def asking(**model: Any) -> dict[str, Any]:
    """Make a workflow that asks one model."""
    models = [{**SIMULATOR, **model}]
    return {"name": "Ask", "steps": [{"name": "ask", "config": {"prompt": {
        "content": "Hi", "models": models}}}]}  # fmt: skip


async def make(api: Api, definition: dict[str, Any]) -> str:
    """Make a workflow and return its id."""
    payload = await api.mutate("createWorkflow", definition, "workflow { id } errors { message }")
    return str(payload["workflow"]["id"])


async def test_a_model_without_a_credential_is_an_issue_of_its_step(api: Api) -> None:
    workflow_id = await make(api, asking(provider="OPENAI", model="gpt-4o"))

    (issue,) = (await api.run(ISSUES, id=workflow_id))["workflow"]["issues"]

    assert issue == {
        "severity": "ERROR",
        "code": "CREDENTIAL_MISSING",
        "path": ["prompt", "models", "0", "provider"],
        "step": {"name": "ask"},
    }


async def test_a_workflow_that_can_run_has_no_issues(api: Api) -> None:
    workflow_id = await make_workflow(api)

    assert (await api.run(ISSUES, id=workflow_id))["workflow"]["issues"] == []


async def test_the_issues_of_many_workflows_cost_no_more_queries(
    api: Api, database: Database
) -> None:
    await make(api, asking(provider="OPENAI", model="gpt-4o"))
    with counted(database) as for_one:
        await api.run(ALL)
    for _ in range(9):
        await make(api, asking(provider="ANTHROPIC", model="claude-sonnet-4"))

    with counted(database) as for_ten:
        found = await api.run(ALL)

    assert len(found["workflows"]["nodes"]) == 10
    assert len(for_ten) == len(for_one)
