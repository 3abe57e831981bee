"""Proves that a step uses a stored prompt, keeps its version, and shows which one it ran with."""

from __future__ import annotations

from typing import Any

from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.documents import SIMULATOR, make_workflow, start
from tests.schema.watching import finish, reach
from tests.support.clock import ManualClock

CONFIG = """query ($id: ID!) { workflow(id: $id) { steps { config { ... on PromptStepConfig {
  content prompt { name } promptVersion { version } } } } } }"""
RAN = """query ($id: ID!) { execution(id: $id) { status steps {
  stepName input promptVersion { version content prompt { name } } } } }"""
VARIABLES = [{"name": "title"}]


async def _prompt(api: Api, content: str = "First {{title}}") -> dict[str, Any]:
    given = {"name": "Greeting", "content": content}
    payload = await api.mutate("createPrompt", given, "prompt { id currentVersion { id } }")
    prompt: dict[str, Any] = payload["prompt"]
    return prompt


async def _edit(api: Api, prompt_id: str, content: str) -> None:
    payload = await api.mutate(
        "updatePrompt", {"id": prompt_id, "content": content}, "errors { message }"
    )
    assert payload["errors"] == []


def _step(prompt_id: str, name: str = "ask", **config: Any) -> dict[str, Any]:
    prompt = {"promptId": prompt_id, "models": [SIMULATOR], **config}
    return {"name": name, "config": {"prompt": prompt}}


def _wait() -> dict[str, Any]:
    return {"name": "wait", "config": {"delay": {"durationSeconds": 60}}}


async def test_a_step_shows_its_prompt_and_the_version_it_is_pinned_to(api: Api) -> None:
    prompt = await _prompt(api)
    pinned = _step(prompt["id"], "pinned", promptVersionId=prompt["currentVersion"]["id"])
    own = {"name": "own", "config": {"prompt": {"content": "Hi", "models": [SIMULATOR]}}}

    workflow_id = await make_workflow(
        api, steps=[_step(prompt["id"]), pinned, own], variables=VARIABLES
    )

    steps = (await api.run(CONFIG, id=workflow_id))["workflow"]["steps"]
    name = {"name": "Greeting"}
    assert [step["config"] for step in steps] == [
        {"content": None, "prompt": name, "promptVersion": None},
        {"content": None, "prompt": name, "promptVersion": {"version": "1.0.0"}},
        {"content": "Hi", "prompt": None, "promptVersion": None},
    ]


async def test_workflows_are_found_by_the_prompt_they_use(api: Api, stranger: Principal) -> None:
    prompt = await _prompt(api)
    workflow_id = await make_workflow(api, steps=[_step(prompt["id"])], variables=VARIABLES)
    await make_workflow(api)
    document = "query ($p: ID) { workflows(where: {promptId: $p}) { nodes { id } } }"

    assert (await api.run(document, p=prompt["id"]))["workflows"]["nodes"] == [{"id": workflow_id}]
    assert (await api.run(document, p="nonsense"))["workflows"]["nodes"] == []
    assert len((await api.run(document, p=None))["workflows"]["nodes"]) == 2
    foreign = await api.seen_by(stranger).run(document, p=prompt["id"])
    assert foreign["workflows"]["nodes"] == []


async def test_a_prompt_that_is_edited_meanwhile_changes_nothing_of_what_was_started(
    api: Api, worker: Runner, clock: ManualClock
) -> None:
    prompt = await _prompt(api)
    steps = [_wait(), _step(prompt["id"])]
    execution_id = await start(api, await make_workflow(api, steps=steps, variables=VARIABLES))
    await reach(api, execution_id, "WAITING")
    await _edit(api, prompt["id"], "Second {{title}}")

    clock.move(minutes=2)
    worker.wake()
    await finish(api, execution_id)

    waited, ran = (await api.run(RAN, id=execution_id))["execution"]["steps"]
    assert (ran["input"]["content"], waited["promptVersion"]) == ("First A bug", None)
    shown = {"version": "1.0.0", "content": "First {{title}}", "prompt": {"name": "Greeting"}}
    assert ran["promptVersion"] == shown


async def test_a_start_after_the_edit_runs_with_the_new_version(api: Api, worker: Runner) -> None:
    prompt = await _prompt(api)
    workflow_id = await make_workflow(api, steps=[_step(prompt["id"])], variables=VARIABLES)
    await _edit(api, prompt["id"], "Second {{title}}")

    execution_id = await start(api, workflow_id)
    await finish(api, execution_id)

    (ran,) = (await api.run(RAN, id=execution_id))["execution"]["steps"]
    assert ran["promptVersion"]["version"] == "1.0.1"
    assert ran["input"]["content"] == "Second A bug"


async def test_a_prompt_in_use_is_not_deleted(api: Api) -> None:
    prompt = await _prompt(api)
    await make_workflow(api, steps=[_step(prompt["id"])], variables=VARIABLES)

    payload = await api.mutate(
        "deletePrompt",
        {"id": prompt["id"]},
        "deletedId errors { code path message ... on InvalidStateError { state } }",
    )

    (error,) = payload["errors"]
    assert (payload["deletedId"], error["code"], error["state"]) == (
        None,
        "INVALID_STATE",
        "IN_USE",
    )
    assert "'Triage'" in error["message"]


async def test_what_a_step_cannot_use_is_named(api: Api) -> None:
    prompt = await _prompt(api)
    path = ["input", "steps", "0", "config", "prompt"]
    wrong: list[tuple[dict[str, Any], str, list[str]]] = [
        (_step("pr_nonsense"), "NOT_FOUND", [*path, "promptId"]),
        (_step(prompt["id"], promptVersionId="x"), "NOT_FOUND", [*path, "promptVersionId"]),
        (_step(prompt["id"]), "INVALID_INPUT", [*path, "promptId"]),
        (_step(prompt["id"], content="Hi"), "INVALID_INPUT", [*path, "content"]),
    ]
    for step, code, where in wrong:
        payload = await api.mutate(
            "createWorkflow", {"name": "W", "steps": [step]}, "errors { code path }"
        )
        assert payload["errors"] == [{"code": code, "path": where}]
