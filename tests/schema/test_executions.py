"""Proves what an execution shows while it waits, when it is done, and when it failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.models import Execution
from tests.schema.api import Api
from tests.schema.documents import make_workflow, start, step
from tests.schema.rows import execution_row
from tests.schema.watching import finish
from tests.support.clock import ManualClock

WHOLE = """
query ($id: ID!) { execution(id: $id) {
  status input output outputUrl workflowRevision triggerType durationMs recoveryCount eventCursor
  waitReason resumesAt createdAt startedAt finishedAt idempotencyKey cancelRequestedAt
  workflow { name } trigger { id } firing { id } retryOf { id }
  error { code message isRetryable details }
  usage { promptTokens completionTokens totalTokens costUsd }
  events { nodes { __typename sequence cursor } }
  steps {
    id stepName stepType order status input output outputUrl durationMs
    step { name } execution { id } reusedFrom { id } error { code message }
    attempts { number status startedAt finishedAt nextAttemptAt error { code } }
    modelCalls {
      provider model label attempt isSuccessful outputText finishReason latencyMs isSimulated
      usage { totalTokens costUsd } error { code }
    }
  }
} }
"""


async def test_an_execution_that_was_not_begun_shows_all_its_steps(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    assert (found["status"], found["input"]) == ("PENDING", {"title": "A bug"})
    assert (found["durationMs"], found["output"], found["triggerType"]) == (None, None, "MANUAL")
    assert [each["status"] for each in found["steps"]] == ["PENDING"] * 4
    assert [each["stepName"] for each in found["steps"]] == ["take", "is_bug", "summary", "other"]


async def test_a_finished_execution_shows_what_each_step_did(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    take, _, summary, other = found["steps"]
    assert (found["status"], found["error"], found["durationMs"]) == ("COMPLETED", None, 0)
    assert take["output"] == {"title": "A BUG"}
    assert take["input"] == {"given": "A bug"}
    assert (summary["attempts"][0]["number"], summary["attempts"][0]["status"]) == (1, "COMPLETED")
    assert found["output"] == {"summary": summary["output"]["text"]}
    assert (other["status"], other["attempts"]) == ("SKIPPED", [])


async def test_a_model_call_tells_what_it_used(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    call = found["steps"][2]["modelCalls"][0]
    assert (call["provider"], call["isSuccessful"], call["isSimulated"]) == (
        "SIMULATOR",
        True,
        True,
    )
    assert call["outputText"] == found["output"]["summary"]
    assert call["usage"]["totalTokens"] == found["usage"]["totalTokens"] > 0
    assert found["usage"]["costUsd"] == "0.000000"


async def test_a_failure_tells_its_code_and_its_attempts(api: Api, worker: Runner) -> None:
    failing = step("wrong", config={"transform": {"set": {"v": "input.title.nothing.at.all"}}})
    execution_id = await start(api, await make_workflow(api, steps=[failing], variables=TITLE))
    await finish(api, execution_id)

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    assert found["status"] == found["steps"][0]["status"] == "FAILED"
    assert found["error"]["code"] == found["steps"][0]["error"]["code"]
    assert found["error"]["isRetryable"] is False


TITLE = [{"name": "title"}]


async def test_a_large_output_is_cut_and_kept_for_download(api: Api, worker: Runner) -> None:
    copying = step("copy", config={"transform": {"set": {"v": "input.title"}}})
    summary = [{"name": "title"}, {"name": "v", "kind": "OUTPUT"}]
    copying["outputs"] = {"v": "output.v"}
    workflow_id = await make_workflow(api, steps=[copying], variables=summary)
    execution_id = await start(api, workflow_id, input={"title": "x" * 100_000})
    await finish(api, execution_id)

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    base = f"https://pilot.example.org/api/executions/{execution_id}"
    assert found["outputUrl"] == f"{base}/output"
    assert found["steps"][0]["outputUrl"] == f"{base}/steps/0/output"
    assert len(found["output"]["v"]) < 65_536 > len(found["steps"][0]["output"]["v"])


async def test_a_small_output_is_shown_whole(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    assert found["outputUrl"] is None
    assert [each["outputUrl"] for each in found["steps"]] == [None] * 4


async def test_steps_are_shown_by_their_status(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)
    document = (
        "query ($id: ID!, $s: [StepExecutionStatus!]) { execution(id: $id) {"
        " steps(where: {statuses: $s}) { stepName } } }"
    )

    skipped = await api.run(document, id=execution_id, s=["SKIPPED"])
    none = await api.run(document, id=execution_id, s=[])

    assert skipped["execution"]["steps"] == [{"stepName": "other"}]
    assert none["execution"]["steps"] == []


async def test_a_step_execution_is_found_by_its_id(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)
    document = (
        "query ($id: ID!) { node(id: $id) { ... on WorkflowStepExecution"
        " { stepName execution { id } step { name } } } }"
    )

    found = await api.run(document, id=ids.step_execution_id(execution_id, "0"))
    beyond = await api.run(document, id=ids.step_execution_id(execution_id, "99"))

    assert found["node"] == {
        "stepName": "take",
        "execution": {"id": execution_id},
        "step": {"name": "take"},
    }
    assert beyond["node"] is None


async def test_the_newest_event_is_where_the_execution_stands(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    events = found["events"]["nodes"]
    assert [each["sequence"] for each in events] == list(range(1, len(events) + 1))
    assert events[-1]["cursor"] == found["eventCursor"]
    assert {each["__typename"] for each in events} >= {
        "ExecutionStatusChanged",
        "StepStatusChanged",
    }


async def test_events_are_paged_from_both_ends(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)
    part = "{ edges { cursor node { sequence } } pageInfo { hasNextPage hasPreviousPage } }"
    document = f"query ($id: ID!, $after: String) {{ execution(id: $id) {{ a: events(first: 2, after: $after) {part} b: events(last: 1) {part} }} }}"  # noqa: E501 -- one document

    first = (await api.run(document, id=execution_id))["execution"]
    cursor = first["a"]["edges"][-1]["cursor"]
    second = (await api.run(document, id=execution_id, after=cursor))["execution"]

    assert [edge["node"]["sequence"] for edge in first["a"]["edges"]] == [1, 2]
    assert [edge["node"]["sequence"] for edge in second["a"]["edges"]] == [3, 4]
    assert first["b"]["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True}


async def test_a_foreign_cursor_of_events_is_refused(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))
    document = (
        "query ($id: ID!, $c: String) { execution(id: $id) { events(before: $c)"
        " { nodes { sequence } } } }"
    )

    refused = await api.refused(document, id=execution_id, c="nonsense")

    assert '"nonsense" is not a cursor of this list' in refused.message


async def test_the_same_key_starts_nothing_twice(api: Api) -> None:
    workflow_id = await make_workflow(api)
    given = {"workflowId": workflow_id, "input": {"title": "A"}, "idempotencyKey": "k1"}
    selection = "execution { id idempotencyKey } isNew errors { code path }"

    first, second = [await api.mutate("startExecution", given, selection) for _ in range(2)]
    other = await api.mutate("startExecution", {**given, "input": {"title": "B"}}, selection)

    assert (first["isNew"], second["isNew"]) == (True, False)
    assert first["execution"] == second["execution"]
    assert other["errors"][0]["code"] == "IDEMPOTENCY_MISMATCH"
    assert (other["execution"], other["isNew"]) == (None, False)


async def test_bad_input_stores_nothing_and_says_what_to_change(api: Api) -> None:
    workflow_id = await make_workflow(api)
    given = {"workflowId": workflow_id, "input": {"title": 7, "extra": True}}

    payload = await api.mutate("startExecution", given, "errors { message path }")

    paths = {tuple(error["path"]) for error in payload["errors"]}
    assert paths == {("input", "input", "title"), ("input", "input", "extra")}
    assert (await api.run("{ executions { totalCount } }"))["executions"]["totalCount"] == 0


async def test_an_execution_of_the_future_waits_and_tells_until_when(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api), startAt="2026-09-02T00:00:00+00:00")

    found = (await api.run(WHOLE, id=execution_id))["execution"]

    assert (found["status"], found["waitReason"]) == ("WAITING", "DELAY")
    assert found["resumesAt"] == "2026-09-02T00:00:00Z"


async def test_a_waiting_execution_is_cancelled_once(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))
    given = {"id": execution_id, "reason": "Not needed."}
    selection = "execution { status finishedAt } errors { code }"

    payload = await api.mutate("cancelExecution", given, selection)

    assert payload["execution"]["status"] == "CANCELLED"
    assert payload["errors"] == []


async def test_what_is_done_cannot_be_cancelled(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)

    payload = await api.mutate(
        "cancelExecution",
        {"id": execution_id},
        "execution { id } errors { code ... on InvalidStateError { state } }",
    )

    assert payload == {
        "execution": None,
        "errors": [{"code": "INVALID_STATE", "state": "COMPLETED"}],
    }


async def test_a_handover_between_workers_is_running_to_users(
    api: Api, principal: Principal, clock: ManualClock
) -> None:
    instant = datetime(2026, 9, 1, tzinfo=UTC)
    handover: dict[str, Any] = {"status": "WAITING", "wait_reason": "HANDOVER"}
    row = execution_row(principal, **handover, ready_at=clock.now(), started_at=instant)
    await Execution.bulk_create([row])
    document = """{
      running: executions(where: {statuses: [RUNNING]}) { nodes { status waitReason resumesAt } }
      waiting: executions(where: {statuses: [WAITING]}) { nodes { id } }
    }"""

    found = await api.run(document)

    shown = {"status": "RUNNING", "waitReason": None, "resumesAt": None}
    assert found == {"running": {"nodes": [shown]}, "waiting": {"nodes": []}}


async def test_time_runs_while_an_execution_does(
    api: Api, principal: Principal, clock: ManualClock
) -> None:
    row = execution_row(principal, started_at=clock.now())
    await Execution.bulk_create([row])
    clock.move(seconds=90)

    found = await api.run("query ($id: ID!) { execution(id: $id) { durationMs } }", id=row.id)

    assert found["execution"]["durationMs"] == 90_000


async def test_an_unknown_price_is_null(api: Api, principal: Principal) -> None:
    known = execution_row(principal, cost_micros=315, prompt_tokens=3, completion_tokens=4)
    unknown = execution_row(principal, cost_micros=315, has_unknown_cost=True)
    await Execution.bulk_create([known, unknown])
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on WorkflowExecution { usage { totalTokens costUsd } } } }"  # noqa: E501 -- one document

    found = await api.run(document, ids=[known.id, unknown.id])

    usages = [each["usage"] for each in found["nodes"]]
    assert usages == [
        {"totalTokens": 7, "costUsd": "0.000315"},
        {"totalTokens": 0, "costUsd": None},
    ]


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"statuses": ["COMPLETED"]}, "b"),
    ({"statuses": []}, ""),
    ({"statuses": ["COMPLETED"] * 40_000}, "b"),
    ({"triggerTypes": ["WEBHOOK"] * 40_000}, "b"),
    ({"triggerTypes": ["WEBHOOK"]}, "b"),
    ({"idempotencyKey": "k"}, "c"),
    ({"waitReasons": ["RETRY"]}, "d"),
    ({"waitReasons": ["DECISION", "DELAY"]}, ""),
    ({"waitReasons": []}, ""),
    ({"waitReasons": None, "statuses": ["WAITING"]}, "d"),
    ({"idempotencyKey": "\u0000"}, ""),
    ({"createdAt": {"from": "1970-01-01T00:00:00.002Z"}}, "bcd"),
    ({"createdAt": {"until": "1970-01-01T00:00:00.002Z"}}, "a"),
    ({"createdAt": {"from": "1970-01-01T00:00:00.001001Z"}}, "bcd"),
    ({"workflowIds": ["nonsense", "\u0000"]}, ""),
    ({"triggerIds": []}, ""),
    ({"createdAt": {"from": "9999-12-31T23:59:59.999999Z"}}, ""),
    ({"createdAt": {"from": "0001-01-01T00:00:00Z"}}, "abcd"),
    ({"statuses": None, "createdAt": {"from": None}}, "abcd"),
]
LIST = """
query ($w: WorkflowExecutionFilter) { executions(where: $w, orderBy: {direction: ASC}) {
  nodes { id } totalCount
} }
"""


async def test_a_filter_lets_through_what_fulfils_it(api: Api, principal: Principal) -> None:
    rows = {
        "a": execution_row(principal, 1),
        "b": execution_row(principal, 2, 9, trigger_type="WEBHOOK"),
        "c": execution_row(principal, 3, idempotency_key="k"),
        "d": execution_row(principal, 4, status="WAITING", wait_reason="RETRY"),
    }
    await Execution.bulk_create(list(rows.values()))
    names = {row.id: name for name, row in rows.items()}

    lists = [(await api.run(LIST, w=where))["executions"] for where, _ in FILTERS]

    found = ["".join(names[node["id"]] for node in each["nodes"]) for each in lists]
    assert found == [expected for _, expected in FILTERS]
    assert [each["totalCount"] for each in lists] == [len(each) for each in found]


async def test_unfinished_executions_count_as_the_newest_to_finish(
    api: Api, principal: Principal
) -> None:
    early, late = execution_row(principal, 1, 5), execution_row(principal, 2, 9)
    unfinished = execution_row(principal, 0)
    await Execution.bulk_create([early, unfinished, late])

    found = await api.run("{ executions(orderBy: {field: FINISHED_AT}) { nodes { finishedAt } } }")

    shown = [each["finishedAt"] for each in found["executions"]["nodes"]]
    assert shown == [None, "1970-01-01T00:00:00.009000Z", "1970-01-01T00:00:00.005000Z"]
    assert late.finished_at == from_ms(9)
