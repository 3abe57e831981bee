"""Proves that workflows are tried out through the API, stored or not."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.principal import Principal
from promptpilot.models.database import Database
from tests.schema.api import Api
from tests.schema.documents import SIMULATOR, make_workflow, step, triage
from tests.support.tables import counts

SHOWN = """
preview {
  status input output usedSampleData warnings durationMs error { code }
  usage { promptTokens completionTokens totalTokens costUsd }
  steps {
    name type status input output attempts durationMs warnings error { code message }
    usage { totalTokens } modelCalls { provider model isSimulated outputText }
  }
}
errors { __typename code message path }
"""


async def preview(api: Api, target: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return the payload of a preview."""
    return await api.mutate("previewWorkflow", {"target": target, **others}, SHOWN)


def workflow(*steps: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Make a target that is not stored."""
    return {"definition": {"name": "Try", "steps": list(steps), **others}}


def asking(name: str, **others: Any) -> dict[str, Any]:
    """Make a step that asks the simulator."""
    return {
        "name": name,
        "config": {"prompt": {"content": "Say {{ input.topic }}.", "models": [SIMULATOR]}},
        **others,
    }


TOPIC = {"name": "topic", "isRequired": True}


async def test_a_stored_workflow_and_its_definition_have_one_preview(api: Api) -> None:
    workflow_id = await make_workflow(api)
    given = {"title": "Broken"}

    stored = await preview(api, {"workflowId": workflow_id}, input=given)
    fresh = await preview(api, {"definition": triage()}, input=given)

    assert stored["errors"] == fresh["errors"] == []
    assert stored["preview"]["status"] == "COMPLETED"
    for each in (stored, fresh):
        del each["preview"]["durationMs"]
        for one in each["preview"]["steps"]:
            del one["durationMs"]
    assert stored == fresh


async def test_a_preview_shows_steps_calls_tokens_and_samples(api: Api) -> None:
    target = workflow(asking("ask"), variables=[TOPIC])

    payload = await preview(api, target, useSampleData=True)

    shown = payload["preview"]
    (ask,) = shown["steps"]
    assert (shown["status"], shown["usedSampleData"]) == ("COMPLETED", True)
    assert shown["input"] == {"topic": "sample topic"}
    assert ask["input"]["content"] == "Say sample topic."
    assert [call["isSimulated"] for call in ask["modelCalls"]] == [True]
    assert shown["usage"]["totalTokens"] == ask["usage"]["totalTokens"] > 0


async def test_a_failed_step_is_a_result(api: Api) -> None:
    payload = await preview(api, workflow(step("one", runIf="1 / 0 > 1"), step("two")))

    shown = payload["preview"]
    assert (payload["errors"], shown["status"], shown["output"]) == ([], "FAILED", None)
    assert [each["status"] for each in shown["steps"]] == ["FAILED", "PENDING"]
    assert shown["error"]["code"] == shown["steps"][0]["error"]["code"]


async def test_a_part_is_tried_with_pinned_outputs(api: Api) -> None:
    target = workflow(step("one"), step("two"), step("three"))
    pins = {"one": {"value": "pinned"}}

    payload = await preview(api, target, toStepName="two", pinnedOutputs=pins)

    one, two, three = payload["preview"]["steps"]
    assert (one["output"], one["attempts"]) == ({"value": "pinned"}, 0)
    assert (two["attempts"], three["status"]) == (1, "PENDING")


@pytest.mark.parametrize(
    ("target", "others", "path"),
    [
        (
            workflow({"name": "a b", "config": {"transform": {"set": {"v": "1"}}}}),
            {},
            "steps.0.name",
        ),
        (workflow(step("a", inputs={"x": 1})), {}, "steps.0.inputs.x"),
        (workflow(name=""), {}, "name"),
        (
            workflow({"name": "a", "config": {"transform": {"set": {"v": 1}}}}),
            {},
            "steps.0.config.transform.set.v",
        ),
    ],
)
async def test_faults_of_a_definition_have_their_paths(
    target: dict[str, Any], others: dict[str, Any], path: str, api: Api
) -> None:
    payload = await preview(api, target, **others)

    assert payload["preview"] is None
    (error,) = payload["errors"]
    assert error["path"] == ["input", "target", "definition", *path.split(".")]


@pytest.mark.parametrize(
    ("others", "code", "path"),
    [
        ({}, "REQUIRED", ["input", "input", "topic"]),
        ({"input": {"topic": 1}}, "INVALID_INPUT", ["input", "input", "topic"]),
        ({"input": {"topic": "a", "b": 1}}, "INVALID_INPUT", ["input", "input", "b"]),
        ({"toStepName": "z"}, "INVALID_INPUT", ["input", "toStepName"]),
        ({"pinnedOutputs": {"z": 1}}, "INVALID_INPUT", ["input", "pinnedOutputs", "z"]),
    ],
)
async def test_what_cannot_be_tried_is_an_error_of_the_call(
    others: dict[str, Any], code: str, path: list[str], api: Api
) -> None:
    payload = await preview(api, workflow(asking("ask"), variables=[TOPIC]), **others)

    (error,) = payload["errors"]
    assert (payload["preview"], error["code"], error["path"]) == (None, code, path)


async def test_workflows_of_others_and_unknown_ones_are_not_there(
    api: Api, stranger: Principal
) -> None:
    workflow_id = await make_workflow(api)

    payload = await preview(api.seen_by(stranger), {"workflowId": workflow_id})
    unknown = await preview(api, {"workflowId": "wf_nothing"})

    for each in (payload, unknown):
        (error,) = each["errors"]
        assert (error["__typename"], error["path"]) == (
            "NotFoundError",
            ["input", "target", "workflowId"],
        )


async def test_a_target_is_one_of_two(api: Api) -> None:
    document = "mutation { previewWorkflow(input: {target: {}}) { errors { code } } }"

    refusals = await api.refusals(document)

    assert {"PreviewTargetInput" in each.message for each in refusals} == {True}


async def test_nobody_previews_without_signing_in(api: Api) -> None:
    document = """mutation { previewWorkflow(input: {
      target: {definition: {name: "x"}}}) { errors { code } } }"""

    refusal = await api.seen_by(None).refused(document)

    assert "Sign in" in refusal.message


async def test_no_table_grows(api: Api, database: Database) -> None:
    workflow_id = await make_workflow(api)
    before = await counts(database)

    await preview(api, {"workflowId": workflow_id}, input={"title": "x"})
    await preview(api, {"definition": triage()}, input={"title": "x"}, mode="LIVE")

    assert await counts(database) == before
