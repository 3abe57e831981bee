"""Proves that a decision is shown while it waits for a person, and is made once."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.documents import asking, decision, failing, make_workflow, start
from tests.schema.watching import finish, reach
from tests.support.clock import ManualClock

SHOWN = """
  stepName status wakesAt output
  pendingDecision { question choices defaultChoice expiresAt }
  decision { choice comment decidedAt decidedBy { email } }
"""
STEPS = f"""query ($id: ID!) {{ execution(id: $id) {{
  status waitReason resumesAt steps {{ {SHOWN} }}
}} }}"""
ERRORS = "errors { __typename code path ... on InvalidStateError { state } }"
EXPIRY = "2026-09-01T13:00:30Z"


async def _ask(api: Api, **changes: Any) -> str:
    """Start a workflow and wait until it asks; return the execution's id."""
    parts = asking()
    parts["steps"][1] = decision(**changes)
    execution_id = await start(api, await make_workflow(api, **parts))
    await reach(api, execution_id, "WAITING")
    return execution_id


async def _submit(api: Api, execution_id: str, choice: str, **others: Any) -> dict[str, Any]:
    step_id = ids.step_execution_id(execution_id, "1")
    given = {"stepExecutionId": step_id, "choice": choice, **others}
    return await api.mutate("submitDecision", given, f"stepExecution {{ {SHOWN} }} {ERRORS}")


async def _shown(api: Api, execution_id: str) -> dict[str, Any]:
    execution: dict[str, Any] = (await api.run(STEPS, id=execution_id))["execution"]
    return execution


async def test_a_decision_that_waits_shows_what_is_asked(api: Api, worker: Runner) -> None:
    execution = await _shown(api, await _ask(api))

    asked = execution["steps"][1]
    waits = (execution["status"], execution["waitReason"], execution["resumesAt"])
    assert waits == ("WAITING", "DECISION", None)
    assert asked["pendingDecision"] == {
        "question": "Merge A bug?",
        "choices": ["approve", "reject"],
        "defaultChoice": "reject",
        "expiresAt": EXPIRY,
    }
    assert (asked["status"], asked["wakesAt"], asked["decision"]) == ("WAITING", EXPIRY, None)
    assert [each["pendingDecision"] for each in execution["steps"][2:]] == [None, None]


async def test_a_decision_without_a_time_limit_never_expires(api: Api, worker: Runner) -> None:
    unlimited = {"decisionTimeoutSeconds": None, "defaultChoice": None, "question": None}
    execution = await _shown(api, await _ask(api, **unlimited))

    asked = execution["steps"][1]
    pending = {"choices": ["approve", "reject"], "question": None}
    assert asked["pendingDecision"] == {**pending, "defaultChoice": None, "expiresAt": None}
    assert asked["wakesAt"] is None


async def test_an_answer_is_on_record_at_once(api: Api, worker: Runner) -> None:
    payload = await _submit(api, await _ask(api), "approve", comment="Looks good.")

    answered = payload["stepExecution"]
    assert payload["errors"] == []
    assert (answered["stepName"], answered["pendingDecision"]) == ("ask", None)
    assert answered["decision"] == {
        "choice": "approve",
        "comment": "Looks good.",
        "decidedAt": "2026-09-01T12:00:30Z",
        "decidedBy": {"email": "ada@example.org"},
    }


async def test_the_execution_goes_on_where_the_choice_leads(api: Api, worker: Runner) -> None:
    execution_id = await _ask(api)

    await _submit(api, execution_id, "reject")

    await finish(api, execution_id)
    execution = await _shown(api, execution_id)
    _, asked, merge, other = execution["steps"]
    assert (execution["status"], asked["status"]) == ("COMPLETED", "COMPLETED")
    assert (asked["output"]["choice"], asked["output"]["how"]) == ("reject", "PERSON")
    assert (merge["status"], other["status"]) == ("SKIPPED", "COMPLETED")
    assert asked["pendingDecision"] is None


async def test_nobody_decided_when_time_is_up(api: Api, worker: Runner, clock: ManualClock) -> None:
    execution_id = await _ask(api)

    clock.move(seconds=3601)

    await finish(api, execution_id)
    asked = (await _shown(api, execution_id))["steps"][1]
    assert (asked["output"]["choice"], asked["output"]["how"]) == ("reject", "TIMEOUT")
    assert (asked["decision"], asked["pendingDecision"], asked["wakesAt"]) == (None, None, None)


async def test_the_same_answer_again_changes_nothing(api: Api, worker: Runner) -> None:
    execution_id = await _ask(api)
    first = await _submit(api, execution_id, "approve", comment="Good.")
    await finish(api, execution_id)

    second = await _submit(api, execution_id, "approve", comment="Very good.")

    assert second["errors"] == []
    assert second["stepExecution"]["decision"] == first["stepExecution"]["decision"]


async def test_another_answer_is_refused(api: Api, worker: Runner) -> None:
    execution_id = await _ask(api)
    await _submit(api, execution_id, "approve")

    payload = await _submit(api, execution_id, "reject")

    assert payload["stepExecution"] is None
    assert payload["errors"][0]["__typename"] == "InvalidStateError"
    assert payload["errors"][0]["path"] == ["input", "stepExecutionId"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"choice": "perhaps"}, ["input", "choice"]),
        ({"choice": ""}, ["input", "choice"]),
        ({"choice": "approve", "comment": "x" * 2001}, ["input", "comment"]),
        ({"choice": "approve", "comment": "\u0000"}, ["input", "comment"]),
    ],
)
async def test_an_answer_that_cannot_be_is_named(
    given: dict[str, Any], path: list[str], api: Api, worker: Runner
) -> None:
    execution_id = await _ask(api)

    payload = await _submit(api, execution_id, **given)

    assert (payload["errors"][0]["code"], payload["errors"][0]["path"]) == ("INVALID_INPUT", path)
    assert (await _shown(api, execution_id))["steps"][1]["pendingDecision"] is not None


async def test_a_step_that_is_no_decision_takes_no_answer(api: Api, worker: Runner) -> None:
    step_id = ids.step_execution_id(await _ask(api), "0")
    given = {"stepExecutionId": step_id, "choice": "approve"}

    payload = await api.mutate("submitDecision", given, f"stepExecution {{ stepName }} {ERRORS}")

    assert payload["stepExecution"] is None
    assert payload["errors"][0]["code"] == "INVALID_STATE"
    assert payload["errors"][0]["path"] == ["input", "stepExecutionId"]


async def test_a_cancelled_decision_waits_no_longer(api: Api, worker: Runner) -> None:
    execution_id = await _ask(api)
    await api.mutate("cancelExecution", {"id": execution_id}, "errors { code }")

    payload = await _submit(api, execution_id, "approve")

    asked = (await _shown(api, execution_id))["steps"][1]
    assert payload["errors"][0]["state"] == "CANCELLED"
    assert (asked["status"], asked["pendingDecision"]) == ("CANCELLED", None)


async def test_a_decision_that_was_taken_over_is_still_known(api: Api, worker: Runner) -> None:
    parts = asking()
    parts["steps"][2] = failing()["steps"][1]
    execution_id = await start(api, await make_workflow(api, **parts))
    await reach(api, execution_id, "WAITING")
    await _submit(api, execution_id, "approve", comment="Good.")
    await finish(api, execution_id)

    retried = await api.mutate("retryExecution", {"id": execution_id}, "execution { id }")

    asked = (await _shown(api, retried["execution"]["id"]))["steps"][1]
    assert (asked["status"], asked["pendingDecision"]) == ("COMPLETED", None)
    assert (asked["decision"]["choice"], asked["decision"]["comment"]) == ("approve", "Good.")


async def test_a_paused_execution_still_asks(api: Api, worker: Runner) -> None:
    execution_id = await _ask(api)
    await api.mutate("pauseExecution", {"id": execution_id}, "errors { code }")
    paused = await _shown(api, execution_id)

    payload = await _submit(api, execution_id, "approve")

    assert (paused["status"], paused["waitReason"]) == ("PAUSED", None)
    assert paused["steps"][1]["pendingDecision"]["choices"] == ["approve", "reject"]
    assert (payload["errors"], payload["stepExecution"]["pendingDecision"]) == ([], None)
    assert (await _shown(api, execution_id))["status"] == "PAUSED"


async def test_a_stranger_cannot_answer(api: Api, worker: Runner, stranger: Principal) -> None:
    execution_id = await _ask(api)

    payload = await _submit(api.seen_by(stranger), execution_id, "approve")

    missing = {"__typename": "NotFoundError", "code": "NOT_FOUND"}
    assert payload["errors"] == [{**missing, "path": ["input", "stepExecutionId"]}]
    assert (await _shown(api, execution_id))["steps"][1]["decision"] is None


async def test_executions_that_wait_for_a_person_are_listed(api: Api, worker: Runner) -> None:
    execution_id = await _ask(api)
    await start(api, await make_workflow(api), startAt="2026-09-02T00:00:00Z")
    document = "query ($r: [WaitReason!]) { executions(where: {waitReasons: $r}) { nodes { id } } }"

    found = [
        (await api.run(document, r=reasons))["executions"]["nodes"]
        for reasons in (["DECISION"], ["DECISION", "DELAY"], [], ["RETRY"])
    ]

    assert found[0] == [{"id": execution_id}]
    assert [len(each) for each in found] == [1, 2, 0, 0]
