"""Workflows and triggers as clients send them."""

from __future__ import annotations

from typing import Any

from tests.schema.api import Api

#: Everything that a trigger shows of itself.
SHOWN = """
  id name type isActive input revision pausedReason nextRunAt lastTriggeredAt workflow { name }
  config {
    __typename
    ... on ManualTriggerConfig { buttonLabel }
    ... on ScheduledTriggerConfig {
      cron timeZone startsAt endsAt missedRunPolicy overlapPolicy gapPolicy foldPolicy
      pauseAfterFailures upcomingRuns(count: 3)
    }
    ... on WebhookTriggerConfig {
      scheme receiveUrl secretPreview previousSecretValidUntil toleranceSeconds inputMapping
    }
    ... on ApiTriggerConfig { receiveUrl secretPreview previousSecretValidUntil }
    ... on EventTriggerConfig { eventType filter inputMapping }
  }
"""
SIMULATOR = {"provider": "SIMULATOR", "model": "echo", "parameters": {"temperature": 0}}


def step(name: str, **others: Any) -> dict[str, Any]:
    """Make a step that computes one value."""
    return {"name": name, "config": {"transform": {"set": {"value": "1 + 1"}}}, **others}


def triage() -> dict[str, Any]:
    """Make a workflow with a step of each type, one of which is left out."""
    return {
        "name": "Triage",
        "description": "Looks at issues.",
        "tags": ["github", "bugs"],
        "metadata": {"team": "core"},
        "variables": [
            {"name": "title", "isRequired": True, "description": "What it is called."},
            {"name": "summary", "kind": "OUTPUT"},
        ],
        "steps": [
            {
                "name": "take",
                "config": {"transform": {"set": {"title": "upper(input.title)"}}},
                "inputs": {"given": "input.title"},
            },
            {
                "name": "is_bug",
                "config": {
                    "condition": {
                        "condition": 'contains(steps.take.output.title, "BUG")',
                        "elseStepName": "other",
                    }
                },
            },
            {
                "name": "summary",
                "config": {
                    "prompt": {
                        "content": "Summarise: {{ steps.take.output.title }}",
                        "models": [SIMULATOR],
                    }
                },
                "retry": {"maxAttempts": 3},
                "outputs": {"summary": "output.text"},
            },
            step("other", runIf="false"),
        ],
    }


def decision(**others: Any) -> dict[str, Any]:
    """Make a step that asks a person."""
    asked = {
        "mode": "MANUAL",
        "question": "Merge {{ input.title }}?",
        "choices": [{"name": "approve"}, {"name": "reject", "nextStepName": "other"}],
        "defaultChoice": "reject",
        "decisionTimeoutSeconds": 3600,
    }
    return {"name": "ask", "config": {"decision": {**asked, **others}}}


def asking() -> dict[str, Any]:
    """Make the parts of a workflow that asks a person and goes on after the answer."""
    steps = [step("take"), decision(), step("merge"), step("other")]
    return {"steps": steps, "variables": [{"name": "title"}]}


def failing() -> dict[str, Any]:
    """Make the parts of a workflow whose second step fails."""
    wrong = step("wrong", config={"transform": {"set": {"v": "input.title.nothing.at.all"}}})
    return {"steps": [step("take"), wrong, step("other")], "variables": [{"name": "title"}]}


async def make_workflow(api: Api, **changes: Any) -> str:
    """Store a workflow and return its id."""
    payload = await api.mutate(
        "createWorkflow", {**triage(), **changes}, "workflow { id } errors { message path }"
    )
    assert payload["errors"] == []
    return str(payload["workflow"]["id"])


async def make_trigger(api: Api, workflow_id: str, config: dict[str, Any]) -> str:
    """Store a trigger and return its id."""
    payload = await api.mutate(
        "createTrigger",
        {"workflowId": workflow_id, "name": "On issue", "config": config},
        "trigger { id } errors { message path }",
    )
    assert payload["errors"] == []
    return str(payload["trigger"]["id"])


async def change_trigger(api: Api, trigger_id: str, **changes: Any) -> dict[str, Any]:
    """Change a trigger; return it as `SHOWN` says, its secret and the errors."""
    selection = f"trigger {{ {SHOWN} }} secret errors {{ code message path }}"
    return await api.mutate("updateTrigger", {"id": trigger_id, **changes}, selection)


async def create_trigger(api: Api, config: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Store a trigger of a new workflow; return it as `SHOWN` says, its secret and the errors."""
    given = {"workflowId": await make_workflow(api), "name": "On issue", **others}
    selection = f"trigger {{ {SHOWN} }} secret errors {{ code message path }}"
    return await api.mutate("createTrigger", {**given, "config": config}, selection)


async def start(api: Api, workflow_id: str, **others: Any) -> str:
    """Start a workflow and return the execution's id."""
    payload = await api.mutate(
        "startExecution",
        {"workflowId": workflow_id, "input": {"title": "A bug"}, **others},
        "execution { id } isNew errors { message path }",
    )
    assert payload["errors"] == []
    return str(payload["execution"]["id"])
