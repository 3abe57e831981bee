"""Proves that dead letters are listed in parts, run again and put aside."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.models import DeadLetter, Execution
from tests.schema.api import Api
from tests.schema.calls import call_webhook
from tests.schema.counting import counted
from tests.schema.documents import failing, make_workflow
from tests.schema.rows import dead_letter_row, execution_row
from tests.schema.watching import finish

LIST = """
query ($w: DeadLetterFilter, $first: Int, $after: String) {
  deadLetters(where: $w, first: $first, after: $after) {
    nodes { id } edges { cursor node { id } } totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor }
  }
}
"""
SHOWN = """
  id status createdAt resolvedAt error { code message isRetryable }
  execution { id status } replay { id status retryOf { id } }
"""
RESOLVED = f"""deadLetters {{ {SHOWN} }} errors {{
  __typename code path ... on NotFoundError {{ id }} ... on InvalidStateError {{ state }}
}}"""


async def _store(principal: Principal, *letters: dict[str, Any]) -> list[DeadLetter]:
    """Store dead letters of executions of their own, each a millisecond after the one before."""
    executions = [execution_row(principal, 1, 2) for _ in letters]
    stored = [
        dead_letter_row(execution, number, **letter)
        for number, (execution, letter) in enumerate(zip(executions, letters, strict=True))
    ]
    await Execution.bulk_create(executions)
    await DeadLetter.bulk_create(stored)
    return stored


async def _die(api: Api) -> dict[str, Any]:
    """Let an execution that no person started fail; return its dead letter."""
    await finish(api, await call_webhook(api, await make_workflow(api, **failing())))
    found = await api.run(f"{{ deadLetters {{ nodes {{ {SHOWN} }} }} }}")
    letter: dict[str, Any] = found["deadLetters"]["nodes"][0]
    return letter


async def test_a_failure_that_nobody_watches_becomes_a_dead_letter(
    api: Api, worker: Runner
) -> None:
    letter = await _die(api)

    assert (letter["status"], letter["resolvedAt"], letter["replay"]) == ("OPEN", None, None)
    assert letter["execution"]["status"] == "FAILED"
    assert letter["error"]["isRetryable"] is False


async def test_a_replay_goes_on_where_the_execution_failed(api: Api, worker: Runner) -> None:
    letter = await _die(api)

    payload = await api.mutate("replayDeadLetters", {"ids": [letter["id"]]}, RESOLVED)

    replayed = payload["deadLetters"][0]
    assert payload["errors"] == []
    assert (replayed["id"], replayed["status"]) == (letter["id"], "REPLAYED")
    assert replayed["resolvedAt"] == "2026-09-01T12:00:30Z"
    assert replayed["replay"]["retryOf"] == {"id": letter["execution"]["id"]}


async def test_a_replay_takes_over_what_was_done(api: Api, worker: Runner) -> None:
    letter = await _die(api)
    payload = await api.mutate("replayDeadLetters", {"ids": [letter["id"]]}, RESOLVED)
    new_id = payload["deadLetters"][0]["replay"]["id"]

    await finish(api, new_id)

    document = "query ($id: ID!) { execution(id: $id) { steps { reusedFrom { id } } } }"
    steps = (await api.run(document, id=new_id))["execution"]["steps"]
    taken_over = ids.step_execution_id(letter["execution"]["id"], "0")
    assert [each["reusedFrom"] for each in steps] == [{"id": taken_over}, None, None]


async def test_replaying_again_starts_nothing(api: Api, worker: Runner) -> None:
    given = {"ids": [(await _die(api))["id"]]}

    first, second = [await api.mutate("replayDeadLetters", given, RESOLVED) for _ in range(2)]

    assert first["deadLetters"][0]["replay"]["id"] == second["deadLetters"][0]["replay"]["id"]
    assert (first["errors"], second["errors"]) == ([], [])


async def test_dead_letters_are_put_aside(api: Api, principal: Principal) -> None:
    stored = await _store(principal, {}, {})
    given = {"ids": [letter.id for letter in stored]}

    first, second = [await api.mutate("discardDeadLetters", given, RESOLVED) for _ in range(2)]

    assert [each["status"] for each in first["deadLetters"]] == ["DISCARDED", "DISCARDED"]
    assert [each["id"] for each in first["deadLetters"]] == given["ids"]
    assert first == second
    assert (await api.run(LIST))["deadLetters"]["nodes"] == []


@pytest.mark.parametrize(
    ("field", "status"), [("replayDeadLetters", "DISCARDED"), ("discardDeadLetters", "REPLAYED")]
)
async def test_what_was_resolved_otherwise_stays_so(
    field: str, status: str, api: Api, principal: Principal
) -> None:
    still_open, resolved = await _store(principal, {}, {"status": status})

    payload = await api.mutate(field, {"ids": [still_open.id, resolved.id]}, RESOLVED)

    error = payload["errors"][0]
    assert payload["deadLetters"] == []
    assert (error["code"], error["state"]) == ("INVALID_STATE", status)
    assert error["path"] == ["input", "ids", "1"]
    assert (await api.run(LIST))["deadLetters"]["totalCount"] == 1


@pytest.mark.parametrize("field", ["replayDeadLetters", "discardDeadLetters"])
async def test_foreign_and_unknown_ids_are_told_alike(
    field: str, api: Api, principal: Principal, stranger: Principal
) -> None:
    mine, theirs = (await _store(principal, {}))[0], (await _store(stranger, {}))[0]
    others = [theirs.id, ids.new_id(ids.Kind.DEAD_LETTER), "nonsense", ""]

    payloads = [await api.mutate(field, {"ids": [mine.id, other]}, RESOLVED) for other in others]

    missing = {"__typename": "NotFoundError", "code": "NOT_FOUND", "path": ["input", "ids", "1"]}
    assert [each["errors"] for each in payloads] == [[{**missing, "id": other}] for other in others]
    assert (await api.run(LIST))["deadLetters"]["totalCount"] == 1


@pytest.mark.parametrize("field", ["replayDeadLetters", "discardDeadLetters"])
@pytest.mark.parametrize("count", [0, 501])
async def test_none_and_too_many_ids_are_refused(field: str, count: int, api: Api) -> None:
    wanted = [ids.new_id(ids.Kind.DEAD_LETTER) for _ in range(count)]

    payload = await api.mutate(field, {"ids": wanted}, RESOLVED)

    error = payload["errors"][0]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "ids"])


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "ba"),
    ({"statuses": None}, "ba"),
    ({"statuses": ["OPEN", "REPLAYED", "DISCARDED"]}, "dcba"),
    ({"statuses": ["REPLAYED"] * 40_000}, "c"),
    ({"statuses": []}, ""),
    ({"errorCodes": ["HTTP_5XX"]}, "b"),
    ({"errorCodes": ["HTTP_5XX", "HTTP_4XX", "\u0000"]}, "ba"),
    ({"errorCodes": []}, ""),
    ({"workflowIds": ["nonsense", "\u0000"]}, ""),
    ({"workflowIds": None, "errorCodes": None}, "ba"),
]


async def test_a_filter_lets_through_what_fulfils_it(api: Api, principal: Principal) -> None:
    stored = await _store(
        principal, {}, {"error_code": "HTTP_5XX"}, {"status": "REPLAYED"}, {"status": "DISCARDED"}
    )
    names = {letter.id: name for letter, name in zip(stored, "abcd", strict=True)}

    lists = [(await api.run(LIST, w=where))["deadLetters"] for where, _ in FILTERS]

    found = ["".join(names[node["id"]] for node in each["nodes"]) for each in lists]
    assert found == [expected for _, expected in FILTERS]
    assert [each["totalCount"] for each in lists] == [len(each) for each in found]


async def test_dead_letters_of_one_workflow_are_listed(api: Api, principal: Principal) -> None:
    first, _ = await _store(principal, {}, {})

    found = await api.run(LIST, w={"workflowIds": [first.workflow_id]})

    assert found["deadLetters"]["nodes"] == [{"id": first.id}]


async def test_too_many_error_codes_are_refused(api: Api) -> None:
    refused = await api.refused(LIST, w={"errorCodes": [f"E{n}" for n in range(101)]})

    assert "at most 100 error codes, not 101" in refused.message


async def test_dead_letters_are_paged_the_newest_first(api: Api, principal: Principal) -> None:
    stored = await _store(principal, *({} for _ in range(5)))

    first = (await api.run(LIST, first=3))["deadLetters"]
    cursor = first["pageInfo"]["endCursor"]
    second = (await api.run(LIST, first=3, after=cursor))["deadLetters"]

    shown = [edge["node"]["id"] for edge in first["edges"] + second["edges"]]
    assert shown == [letter.id for letter in reversed(stored)]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["totalCount"] == second["totalCount"] == 5


async def test_a_foreign_cursor_is_refused(api: Api) -> None:
    refused = await api.refused(LIST, after="nonsense")

    assert '"nonsense" is not a cursor of this list' in refused.message


async def test_a_stranger_sees_no_dead_letter(
    api: Api, principal: Principal, stranger: Principal
) -> None:
    letter = (await _store(principal, {}))[0]
    document = "query ($id: ID!) { node(id: $id) { id } deadLetters { totalCount } }"

    mine = await api.run(document, id=letter.id)
    theirs = await api.seen_by(stranger).run(document, id=letter.id)

    assert mine == {"node": {"id": letter.id}, "deadLetters": {"totalCount": 1}}
    assert theirs == {"node": None, "deadLetters": {"totalCount": 0}}


async def test_a_page_of_dead_letters_costs_two_statements(api: Api, principal: Principal) -> None:
    replays = [execution_row(principal, 5, 6) for _ in range(4)]
    await Execution.bulk_create(replays)
    letters = [{"status": "REPLAYED", "replay_execution_id": each.id} for each in replays]
    await _store(principal, *letters)
    document = f"{{ deadLetters(where: {{statuses: [REPLAYED]}}) {{ nodes {{ {SHOWN} }} }} }}"

    with counted(api.engine.database) as statements:
        page = await api.run(document)

    assert len(page["deadLetters"]["nodes"]) == 4
    assert len(statements) == 2
