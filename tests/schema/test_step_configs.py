"""Proves that each type of step is shown as it was sent, and that secrets never come back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.schema.api import Api
from tests.schema.documents import decision, make_workflow, step

WHOLE = """
query ($id: ID!) { workflow(id: $id) { executionTimeoutSeconds steps {
  id name type onUnknownOutcome
  config {
    __typename
    ... on DelayStepConfig { durationSeconds until reason }
    ... on WebhookStepConfig { url method body isSigned headers { name value isSecret } }
    ... on DecisionStepConfig {
      mode question defaultChoice decisionTimeoutSeconds
      choices { name condition nextStep { name } }
    }
  }
} } }
"""
SECRET = "a-very-secret-key"
REQUEST: dict[str, Any] = {
    "url": "https://api.example.org/v1/{{ input.title }}",
    "method": "PUT",
    "headers": [
        {"name": "X-Team", "value": "core"},
        {"name": "Authorization", "value": f"Bearer {SECRET}", "isSecret": True},
    ],
    "body": {"title": "{{ input.title }}", "count": 1},
    "isSigned": False,
}
SPACED = {"name": "X Team", "value": "core"}
TITLE = [{"name": "title"}]


async def _config(api: Api, config: dict[str, Any]) -> dict[str, Any]:
    """Store a workflow with one step of interest; return what that step is shown as."""
    steps = [{"name": "it", "config": config}, step("other")]
    workflow_id = await make_workflow(api, steps=steps, variables=TITLE)
    shown: dict[str, Any] = (await api.run(WHOLE, id=workflow_id))["workflow"]["steps"][0]
    return shown


@pytest.mark.parametrize(
    "config",
    [
        {"durationSeconds": 90, "until": None, "reason": "Let it settle."},
        {"durationSeconds": None, "until": '"2027-01-01T00:00:00Z"', "reason": None},
    ],
)
async def test_a_delay_is_shown_as_it_was_sent(config: dict[str, Any], api: Api) -> None:
    shown = await _config(api, {"delay": config})

    assert (shown["type"], shown["onUnknownOutcome"]) == ("DELAY", "RETRY")
    assert shown["config"] == {"__typename": "DelayStepConfig", **config}


async def test_a_request_is_shown_without_its_secrets(api: Api) -> None:
    shown = await _config(api, {"webhook": REQUEST})

    headers = [
        {"name": "X-Team", "value": "core", "isSecret": False},
        {"name": "Authorization", "value": None, "isSecret": True},
    ]
    assert shown["type"] == "WEBHOOK"
    assert shown["config"] == {
        **REQUEST,
        "__typename": "WebhookStepConfig",
        "headers": headers,
    }
    assert SECRET not in json.dumps(shown)


async def _update_with(api: Api, workflow_id: str, **others: Any) -> list[dict[str, Any]]:
    """Send the request again without the value of its secret; return the errors."""
    config = {**REQUEST, "headers": [{"name": "Authorization", "isSecret": True}]}
    steps = [{"name": "it", "config": {"webhook": config}, **others}]
    change = {"id": workflow_id, "steps": steps}
    payload = await api.mutate("updateWorkflow", change, "errors { code path }")
    errors: list[dict[str, Any]] = payload["errors"]
    return errors


async def test_a_stored_secret_is_kept_by_the_step_that_has_it(api: Api) -> None:
    steps = [{"name": "it", "config": {"webhook": REQUEST}}]
    workflow_id = await make_workflow(api, steps=steps, variables=TITLE)
    step_id = (await api.run(WHOLE, id=workflow_id))["workflow"]["steps"][0]["id"]

    kept = await _update_with(api, workflow_id, id=step_id)
    lost = await _update_with(api, workflow_id, name="another")

    headers = [{"name": "Authorization", "value": None, "isSecret": True}]
    found = (await api.run(WHOLE, id=workflow_id))["workflow"]["steps"][0]
    place = ["input", "steps", "0", "config", "webhook", "headers", "0", "value"]
    assert (kept, found["config"]["headers"]) == ([], headers)
    assert lost == [{"code": "REQUIRED", "path": place}]


async def test_a_request_is_a_signed_post_unless_it_says_otherwise(api: Api) -> None:
    shown = await _config(api, {"webhook": {"url": "https://api.example.org/"}})

    config = shown["config"]
    assert (config["method"], config["isSigned"]) == ("POST", True)
    assert (config["headers"], config["body"]) == ([], None)


async def test_a_decision_of_rules_shows_where_its_ways_lead(api: Api) -> None:
    choices = [
        {"name": "long", "condition": "size(input.title) > 9", "nextStepName": "other"},
        {"name": "short", "condition": "true"},
    ]

    shown = await _config(api, {"decision": {"choices": choices, "defaultChoice": "short"}})

    config = shown["config"]
    assert (config["mode"], config["defaultChoice"]) == ("RULES", "short")
    assert config["choices"] == [
        {"name": "long", "condition": "size(input.title) > 9", "nextStep": {"name": "other"}},
        {"name": "short", "condition": "true", "nextStep": None},
    ]


async def test_a_decision_of_a_person_shows_its_question(api: Api) -> None:
    config = (await _config(api, decision()["config"]))["config"]

    assert (config["mode"], config["question"]) == ("MANUAL", "Merge {{ input.title }}?")
    assert (config["defaultChoice"], config["decisionTimeoutSeconds"]) == ("reject", 3600)
    assert [each["condition"] for each in config["choices"]] == [None, None]


async def test_a_step_may_have_its_effect_at_most_once(api: Api) -> None:
    once = {"name": "it", "config": {"webhook": REQUEST}, "onUnknownOutcome": "FAIL"}
    workflow_id = await make_workflow(api, steps=[once], variables=TITLE)

    steps = (await api.run(WHOLE, id=workflow_id))["workflow"]["steps"]

    assert steps[0]["onUnknownOutcome"] == "FAIL"


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"delay": {}}, "delay.durationSeconds"),
        ({"delay": {"durationSeconds": 0}}, "delay.durationSeconds"),
        ({"delay": {"until": "1 +"}}, "delay.until"),
        ({"webhook": {"url": "ftp://example.org"}}, "webhook.url"),
        ({"webhook": {**REQUEST, "headers": [SPACED]}}, "webhook.headers.0.name"),
        ({"decision": {"choices": []}}, "decision.choices"),
        (decision(defaultChoice="none")["config"], "decision.defaultChoice"),
        (
            {"decision": {"choices": [{"name": "a", "nextStepName": "nowhere"}, {"name": "b"}]}},
            "decision.choices.0.nextStepName",
        ),
    ],
)
async def test_a_fault_of_a_configuration_is_named(
    config: dict[str, Any], path: str, api: Api
) -> None:
    steps = [{"name": "it", "config": config}, step("other")]
    given = {"name": "Bad", "steps": steps, "variables": TITLE}

    payload = await api.mutate("createWorkflow", given, "workflow { id } errors { path message }")

    paths = [".".join(error["path"]) for error in payload["errors"]]
    assert payload["workflow"] is None
    assert f"input.steps.0.config.{path}" in paths


async def test_a_workflow_bounds_its_executions(api: Api) -> None:
    workflow_id = await make_workflow(api, executionTimeoutSeconds=60)
    change = {"id": workflow_id, "executionTimeoutSeconds": None}

    before = (await api.run(WHOLE, id=workflow_id))["workflow"]["executionTimeoutSeconds"]
    await api.mutate("updateWorkflow", {"id": workflow_id, "name": "Other"}, "errors { code }")
    kept = (await api.run(WHOLE, id=workflow_id))["workflow"]["executionTimeoutSeconds"]
    await api.mutate("updateWorkflow", change, "errors { code }")
    after = (await api.run(WHOLE, id=workflow_id))["workflow"]["executionTimeoutSeconds"]

    assert (before, kept, after) == (60, 60, None)


@pytest.mark.parametrize("seconds", [0, -1, 31_536_001])
async def test_a_bound_that_cannot_be_is_named(seconds: int, api: Api) -> None:
    given = {"name": "Bad", "steps": [step("a")], "executionTimeoutSeconds": seconds}

    payload = await api.mutate("createWorkflow", given, "errors { path }")

    assert payload["errors"] == [{"path": ["input", "executionTimeoutSeconds"]}]
