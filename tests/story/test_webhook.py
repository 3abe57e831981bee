"""From the signed call of a webhook to the last event of the execution that it started."""

from __future__ import annotations

import httpx2
import pytest

from tests.story.owner import told
from tests.story.triage import WHOLE, Triage

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

_CRASH = "Crash when saving a table for a leap day"


async def test_a_signed_issue_is_triaged_by_another_process_while_its_owner_watches(
    triage: Triage,
) -> None:
    execution_id = await triage.start()

    events = [event async for event in triage.watch(execution_id)]
    execution = await triage.read(execution_id)
    steps = {step["stepName"]: step for step in execution["steps"]}

    assert told(events) == WHOLE
    assert [event["sequence"] for event in events] == list(range(1, len(WHOLE) + 1))
    assert execution["status"] == "COMPLETED"
    assert execution["input"]["issue"]["title"] == _CRASH
    assert _CRASH in execution["output"]["reply"]
    assert execution["firing"]["verification"] == {"isVerified": True}
    assert steps["extract"]["output"]["author"] == "example-mira"
    assert steps["summarise_bug"]["input"]["content"] == f"Summarise: {_CRASH}"
    assert steps["summarise_bug"]["attempts"] == [{"number": 1, "status": "COMPLETED"}]


async def test_the_same_delivery_again_answers_the_same_execution_and_starts_nothing(
    triage: Triage,
) -> None:
    first = await triage.start("one-delivery")

    again = await triage.deliver("one-delivery")

    assert (again.status_code, again.json()["executionId"]) == (httpx2.codes.OK, first)
    assert again.json()["duplicate"] is True
    assert await triage.count() == 1
    assert [firing["outcome"] for firing in await triage.firings()] == ["DUPLICATE", "STARTED"]


async def test_a_call_that_somebody_else_signed_is_refused_and_on_record(triage: Triage) -> None:
    answer = await triage.deliver("forged", secret="a guess")

    firings = await triage.firings()
    assert answer.status_code == httpx2.codes.UNAUTHORIZED
    assert await triage.count() == 0
    assert firings[0]["outcome"] == "REJECTED"
    assert firings[0]["verification"] == {"isVerified": False, "failureCode": "SIGNATURE_MISMATCH"}
