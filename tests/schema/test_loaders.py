"""Proves that a page costs the same number of statements however many items it shows."""

from __future__ import annotations

from datetime import timedelta

from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.schema.documents import asking, make_trigger, make_workflow, start
from tests.schema.watching import finish, reach

PAGE = """{
  executions { nodes {
    status usage { totalTokens }
    workflow { name owner { email } steps { name config { __typename } } variables { name }
      triggers { name lastTriggeredAt workflow { name } } }
    trigger { name workflow { name } }
    firing { outcome trigger { name } execution { status } }
    steps { stepName output step { name workflow { name } } attempts { number }
      modelCalls { model } execution { status } }
  } pageInfo { hasNextPage } }
}"""

DECISIONS = """{ executions { nodes {
  steps { pendingDecision { question } decision { choice decidedBy { email } } }
} } }"""


async def _run(api: Api, trigger_id: str) -> None:
    run = {"id": trigger_id, "input": {"title": "A bug"}}
    payload = await api.mutate("runTrigger", run, "execution { id }")
    await finish(api, payload["execution"]["id"])


async def test_a_nested_page_costs_as_much_for_six_as_for_one(api: Api, worker: Runner) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    await _run(api, trigger_id)
    with counted(api.engine.database) as for_one:
        await api.run(PAGE)
    for _ in range(5):
        await _run(api, await make_trigger(api, await make_workflow(api), {"manual": {}}))
    await worker.drain(timedelta(seconds=5))

    with counted(api.engine.database) as for_six:
        page = await api.run(PAGE)

    assert len(page["executions"]["nodes"]) == 6
    assert len(for_six) <= len(for_one) <= 16


async def test_decisions_of_a_page_cost_one_statement(api: Api, worker: Runner) -> None:
    workflow_id = await make_workflow(api, **asking())
    for _ in range(4):
        await reach(api, await start(api, workflow_id), "WAITING")
    await worker.drain(timedelta(seconds=5))

    with counted(api.engine.database) as statements:
        page = await api.run(DECISIONS)

    asked = [each["steps"][1]["pendingDecision"] for each in page["executions"]["nodes"]]
    assert asked == [{"question": "Merge A bug?"}] * 4
    assert len(statements) == 4  # executions, steps, attempts, decisions


async def test_a_list_is_counted_only_when_it_is_asked_for(api: Api) -> None:
    await make_workflow(api)

    with counted(api.engine.database) as uncounted:
        await api.run("{ workflows { nodes { id } } }")
    with counted(api.engine.database) as counting:
        await api.run("{ workflows { nodes { id } totalCount } }")

    assert (len(uncounted), len(counting)) == (1, 2)
