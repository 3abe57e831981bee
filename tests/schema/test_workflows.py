"""Proves that workflows are made, read, changed, copied and deleted through the API."""

from __future__ import annotations

from promptpilot.engine.principal import Principal
from tests.schema.api import Api
from tests.schema.documents import SIMULATOR, make_trigger, make_workflow, start, step, triage

WHOLE = """
query ($id: ID!) { workflow(id: $id) {
  name description isActive tags metadata revision owner { email role }
  steps {
    name type order inputs outputs runIf timeoutSeconds continueOnError workflow { id }
    retry { maxAttempts initialDelayMs maxDelayMs backoffFactor }
    config {
      __typename
      ... on PromptStepConfig {
        content instructions routing { mode onError concurrency }
        models { provider model label isDisabled parameters { temperature topP } }
      }
      ... on ConditionStepConfig { condition thenStep { name } elseStep { name } }
      ... on TransformStepConfig { set }
    }
  }
  variables { name kind dataType description isRequired defaultValue validation }
  issues { code } triggers { name }
} }
"""
ERRORS = """errors {
  __typename code message path
  ... on NotFoundError { id } ... on ConflictError { currentRevision }
  ... on InvalidStateError { state } ... on LimitExceededError { limit retryAfter }
}"""


async def test_a_workflow_is_read_as_it_was_made(api: Api, principal: Principal) -> None:
    workflow_id = await make_workflow(api)

    found = (await api.run(WHOLE, id=workflow_id))["workflow"]

    assert (found["name"], found["description"], found["revision"]) == (
        "Triage",
        "Looks at issues.",
        1,
    )
    assert (found["tags"], found["metadata"]) == (["bugs", "github"], {"team": "core"})
    assert found["owner"] == {"email": "ada@example.org", "role": "USER"}
    assert [each["name"] for each in found["steps"]] == ["take", "is_bug", "summary", "other"]
    assert [each["order"] for each in found["steps"]] == [0, 1, 2, 3]
    assert (found["issues"], found["triggers"]) == ([], [])


async def test_each_step_shows_its_configuration(api: Api) -> None:
    workflow_id = await make_workflow(api)

    take, is_bug, summary, other = (await api.run(WHOLE, id=workflow_id))["workflow"]["steps"]

    assert take["config"]["set"] == {"title": "upper(input.title)"}
    assert take["inputs"] == {"given": "input.title"}
    assert is_bug["config"]["elseStep"] == {"name": "other"}
    assert is_bug["config"]["thenStep"] is None
    assert summary["config"]["models"][0]["parameters"] == {"temperature": 0.0, "topP": None}
    assert summary["config"]["routing"]["mode"] == "PARALLEL"
    assert (summary["retry"]["maxAttempts"], summary["outputs"]) == (3, {"summary": "output.text"})
    assert (other["runIf"], other["workflow"]["id"]) == ("false", workflow_id)


async def test_variables_keep_false_and_zero_as_defaults(api: Api) -> None:
    variables = [
        {"name": "flag", "dataType": "BOOLEAN", "defaultValue": False},
        {"name": "count", "dataType": "NUMBER", "defaultValue": 0, "validation": {"minimum": 0}},
    ]
    workflow_id = await make_workflow(api, variables=variables, steps=[step("only")])

    found = (await api.run(WHOLE, id=workflow_id))["workflow"]["variables"]

    assert [each["defaultValue"] for each in found] == [False, 0]
    assert found[1]["validation"] == {"minimum": 0}


async def test_every_fault_of_a_definition_is_told_with_its_place(api: Api) -> None:
    bad = step("b", config={"transform": {"set": {"v": "steps.later.output", "w": "1 +"}}})

    payload = await api.mutate("createWorkflow", {**triage(), "steps": [bad]}, ERRORS)

    paths = [error["path"] for error in payload["errors"]]
    assert ["input", "steps", "0", "config", "transform", "set", "w"] in paths
    assert all(error["__typename"] == "InvalidInputError" for error in payload["errors"])


async def test_a_value_that_is_no_expression_is_named(api: Api) -> None:
    bad = step("b", config={"transform": {"set": {"v": 7}}})

    payload = await api.mutate("createWorkflow", {**triage(), "steps": [bad]}, ERRORS)

    path = ".".join(payload["errors"][0]["path"])
    assert path == "input.steps.0.config.transform.set.v"
    assert "not 7" in payload["errors"][0]["message"]


async def test_a_change_leaves_what_it_does_not_name(api: Api) -> None:
    workflow_id = await make_workflow(api)
    change = {"id": workflow_id, "expectedRevision": 1, "description": None, "tags": ["new"]}

    payload = await api.mutate("updateWorkflow", change, f"workflow {{ id }} {ERRORS}")

    found = (await api.run(WHOLE, id=workflow_id))["workflow"]
    assert payload["errors"] == []
    assert (found["name"], found["description"], found["tags"]) == ("Triage", None, ["new"])
    assert len(found["steps"]) == 4


async def test_a_change_of_another_revision_is_a_conflict(api: Api) -> None:
    workflow_id = await make_workflow(api)
    change = {"id": workflow_id, "expectedRevision": 7, "name": "Other"}

    payload = await api.mutate("updateWorkflow", change, f"workflow {{ id }} {ERRORS}")

    assert payload["workflow"] is None
    assert payload["errors"][0]["__typename"] == "ConflictError"
    assert payload["errors"][0]["currentRevision"] == 1


async def test_steps_that_are_kept_keep_their_ids(api: Api) -> None:
    workflow_id = await make_workflow(api, steps=[step("a"), step("b")], variables=[])
    steps = await api.run("query ($id: ID!) { workflow(id: $id) { steps { id } } }", id=workflow_id)
    kept = steps["workflow"]["steps"][1]["id"]

    payload = await api.mutate(
        "updateWorkflow",
        {"id": workflow_id, "steps": [step("b2", id=kept)]},
        "workflow { steps { id name } }",
    )

    assert payload["workflow"]["steps"] == [{"id": kept, "name": "b2"}]


async def test_a_copy_has_steps_of_its_own_and_no_triggers(api: Api) -> None:
    workflow_id = await make_workflow(api)
    await make_trigger(api, workflow_id, {"manual": {}})

    payload = await api.mutate(
        "duplicateWorkflow",
        {"id": workflow_id, "name": "Copy"},
        "workflow { id name steps { name } triggers { id } }",
    )

    copy = payload["workflow"]
    assert (copy["name"], len(copy["steps"]), copy["triggers"]) == ("Copy", 4, [])
    assert copy["id"] != workflow_id


async def test_a_workflow_with_unfinished_executions_is_not_deleted_unasked(api: Api) -> None:
    workflow_id = await make_workflow(api)
    await start(api, workflow_id)

    refused = await api.mutate("deleteWorkflow", {"id": workflow_id}, f"deletedId {ERRORS}")
    deleted = await api.mutate(
        "deleteWorkflow", {"id": workflow_id, "cancelRunning": True}, "deletedId"
    )

    assert refused["deletedId"] is None
    assert refused["errors"][0]["__typename"] == "InvalidStateError"
    assert deleted == {"deletedId": workflow_id}
    assert (await api.run(WHOLE, id=workflow_id))["workflow"] is None


async def test_an_execution_outlives_its_workflow(api: Api) -> None:
    workflow_id = await make_workflow(api)
    execution_id = await start(api, workflow_id)
    await api.mutate("deleteWorkflow", {"id": workflow_id, "cancelRunning": True}, "deletedId")

    found = await api.run(
        "query ($id: ID!) { execution(id: $id) { status workflow { id } steps { stepName } } }",
        id=execution_id,
    )

    assert found["execution"]["status"] == "CANCELLED"
    assert found["execution"]["workflow"] is None
    assert len(found["execution"]["steps"]) == 4


async def test_exactly_one_member_of_a_configuration_is_given(api: Api) -> None:
    both = {"transform": {"set": {}}, "prompt": {"content": "Hi", "models": [SIMULATOR]}}
    document = "mutation ($input: CreateWorkflowInput!) { createWorkflow(input: $input) { isNew } }"

    refused = await api.refused(
        document.replace("isNew", "errors { code }"),
        input={"name": "Bad", "steps": [{"name": "a", "config": both}]},
    )

    assert "exactly one" in refused.message.lower()


async def test_free_data_is_written_in_the_document_with_variables_in_it(api: Api) -> None:
    document = """mutation ($v: Int) {
      createWorkflow(input: {name: "a", metadata: {a: [1, $v, null], b: {c: "x", d: true}}}) {
        workflow { metadata } errors { message }
      }
    }"""

    payload = (await api.run(document, v=7))["createWorkflow"]

    assert payload["workflow"]["metadata"] == {"a": [1, 7, None], "b": {"c": "x", "d": True}}


async def test_free_data_is_an_object(api: Api) -> None:
    document = """mutation ($v: Int) {
      createWorkflow(input: {name: "a", metadata: [$v]}) { errors { message } }
    }"""

    refused = await api.refused(document, v=7)

    assert "list is not a JSON object" in refused.message
