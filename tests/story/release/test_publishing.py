"""From a signed call over a model, a person's decision and a signed request to the last event."""

from __future__ import annotations

from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.story.owner import Owner, told
from tests.story.release.press import API_KEY, Press, set_up
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

_SECONDS = 30.0
#: Every change of a status, in order.
_WHOLE = [
    ("execution", "PENDING"),
    ("execution", "RUNNING"),
    ("write", "RUNNING"),
    ("write", "COMPLETED"),
    ("review", "RUNNING"),
    ("review", "WAITING"),
    ("execution", "WAITING"),
    ("execution", "RUNNING"),
    ("review", "COMPLETED"),
    ("publish", "RUNNING"),
    ("publish", "COMPLETED"),
    ("record", "RUNNING"),
    ("record", "COMPLETED"),
    ("execution", "COMPLETED"),
]
_LETTERS = "query { deadLetters { nodes { id error { code } execution { id } } } }"


async def test_a_signed_call_is_written_decided_and_published_while_its_owner_watches(
    owner: Owner, receiver: HostileProcess
) -> None:
    press = await set_up(owner, receiver, "/echo")
    execution_id = await press.deliver()

    events = [event async for event in press.watch(execution_id)]
    steps = await press.steps(execution_id, "decision { choice decidedBy { name } }")
    (request,) = receiver.requests()

    assert told(events) == _WHOLE
    assert [event["sequence"] for event in events] == list(range(1, len(_WHOLE) + 1))
    assert steps["review"]["decision"] == {"choice": "publish", "decidedBy": {"name": "Mira"}}
    assert steps["review"]["input"]["question"] == "Publish 2.0?"
    assert _verified(press, request)["text"] == steps["write"]["output"]["text"]
    assert request["headers"]["x-api-key"] == API_KEY
    assert steps["record"]["output"]["status"] == 200


async def test_a_dead_letter_is_replayed_after_the_receiver_was_mended_at_no_further_cost(
    owner: Owner, receiver: HostileProcess, installation: Installation
) -> None:
    press = await set_up(owner, receiver, "/flaky/1")
    failed = await press.publish()
    await owner.status_comes(failed, "FAILED")
    (letter,) = await _dead_letters(owner)
    replay_id = await _replay(owner, letter["id"])
    await owner.status_comes(replay_id, "COMPLETED")

    steps = await press.steps(replay_id, "reusedFrom { execution { id } }")
    reused = {name for name, step in steps.items() if step["reusedFrom"]}
    assert (letter["error"]["code"], letter["execution"]["id"]) == ("HTTP_5XX", failed)
    assert await _dead_letters(owner) == []
    assert reused == {"write", "review"}
    assert [effect.execution_id for effect in installation.effects()] == [failed]
    assert len(receiver.requests()) == 2


async def test_a_cancelled_execution_closes_the_connection_of_its_request(
    owner: Owner, receiver: HostileProcess
) -> None:
    press = await set_up(owner, receiver, "/hang")
    execution_id = await press.publish()
    await wait_until(lambda: _is_sent(receiver), _SECONDS)

    await owner.change("cancelExecution", "execution { id }", id=execution_id, reason="Too slow")
    await owner.status_comes(execution_id, "CANCELLED")
    await wait_until(lambda: _is_closed(receiver), _SECONDS)

    (request,) = receiver.requests()
    steps = await press.steps(execution_id)
    assert request["isAbandoned"]
    assert steps["publish"]["status"] == "CANCELLED"


async def test_a_paused_execution_takes_a_decision_and_goes_on_when_it_is_resumed(
    owner: Owner, receiver: HostileProcess
) -> None:
    press = await set_up(owner, receiver, "/echo")
    execution_id = await press.deliver()
    await owner.status_comes(execution_id, "WAITING")

    await owner.change("pauseExecution", "execution { id }", id=execution_id)
    await press.decide(execution_id)
    paused = await owner.read(execution_id, "status pauseRequestedAt")
    await owner.change("resumeExecution", "execution { id }", id=execution_id)
    await owner.status_comes(execution_id, "COMPLETED")

    assert paused["status"] == "PAUSED"
    assert len(receiver.requests()) == 1
    moves = [status for who, status in told(await owner.events(execution_id)) if who == "execution"]
    assert moves[2:] == ["WAITING", "PAUSED", "WAITING", "RUNNING", "COMPLETED"]


def _verified(press: Press, request: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a request that the signing secret proves; fail if it does not."""
    body: dict[str, Any] = Webhook(press.signing_secret).verify(request["body"], request["headers"])
    return body


async def _dead_letters(owner: Owner) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = (await owner.caller.ask(_LETTERS))["deadLetters"]["nodes"]
    return letters


async def _replay(owner: Owner, id: str) -> str:
    """Replay a dead letter and return the execution that it starts."""
    payload = await owner.change("replayDeadLetters", "deadLetters { replay { id } }", ids=[id])
    (letter,) = payload["deadLetters"]
    replay_id: str = letter["replay"]["id"]
    return replay_id


async def _is_sent(receiver: HostileProcess) -> bool:
    return bool(receiver.requests())


async def _is_closed(receiver: HostileProcess) -> bool:
    return receiver.requests()[0]["closedAfter"] is not None
