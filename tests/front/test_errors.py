"""Proves that faults are masked and logged, and that what a client can mend is shown as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import GraphQLError
from structlog.typing import EventDict

from promptpilot.errors import CallerError, RateLimited
from promptpilot.front.errors import masked, masked_exception
from promptpilot.front.negotiation import LEGACY, RESPONSE
from tests.front.endpoint import Front
from tests.front.sample import SECRET


async def _error(front: Front, query: str) -> Any:
    response = await front.ask(query)
    return response.json()["errors"][0]


@pytest.mark.parametrize("accept", [RESPONSE, LEGACY])
async def test_a_fault_shows_a_reference_and_nothing_else(front: Front, accept: str) -> None:
    response = await front.ask("{ broken hello }", accept)
    error = response.json()["errors"][0]

    assert SECRET not in response.text
    assert (error["message"], error["path"]) == ("Internal server error", ["broken"])
    assert error["extensions"].keys() == {"code", "reference"}
    assert response.json()["data"] == {"broken": None, "hello": "Hello, world!"}


async def test_a_fault_is_logged_with_its_traceback_under_the_reference(
    front: Front, logs: list[EventDict]
) -> None:
    error = await _error(front, "{ broken }")

    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("graphql.failed", "error")
    assert entry["reference"] == error["extensions"]["reference"]
    assert str(entry["exc_info"]) == SECRET


async def test_an_error_of_the_caller_is_shown_with_code_and_argument(
    front: Front, logs: list[EventDict]
) -> None:
    error = await _error(front, "{ missing }")

    assert error["message"] == "There is no such thing."
    assert error["path"] == ["missing"]
    assert error["extensions"] == {"code": "NOT_FOUND", "argumentPath": ["input", "id"]}
    assert not logs


async def test_several_errors_of_the_caller_are_listed(front: Front) -> None:
    error = await _error(front, "{ faulty }")

    assert error["extensions"]["errors"] == [
        {"message": "A name is missing.", "code": "REQUIRED"},
        {"message": "Too long.", "code": "INVALID_INPUT", "argumentPath": ["text"]},
    ]


async def test_an_absent_database_has_a_code_of_its_own(
    front: Front, logs: list[EventDict]
) -> None:
    error = await _error(front, "{ away }")

    assert error["extensions"] == {"code": "UNAVAILABLE"}
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize(
    "query", ["{ hello", "{ nothing }", "query ($x: Int!) { number(value: $x) }"]
)
async def test_a_mistake_of_the_client_is_not_logged(
    front: Front, logs: list[EventDict], query: str
) -> None:
    await front.ask(query)

    assert not logs


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [("wrong", 401, "UNAUTHENTICATED"), ("bug", 500, "INTERNAL_SERVER_ERROR")],
)
@pytest.mark.parametrize("accept", [RESPONSE, LEGACY])
async def test_a_context_that_cannot_be_made_is_answered(
    front: Front, token: str, status: int, code: str, accept: str
) -> None:
    headers = {"authorization": f"Bearer {token}"}

    response = await front.send("POST", accept, json={"query": "{ hello }"}, headers=headers)

    assert (response.status_code, SECRET in response.text) == (status, False)
    assert response.json()["errors"][0]["extensions"]["code"] == code
    assert ("www-authenticate" in response.headers) == (status == 401)


async def test_a_value_that_a_scalar_refuses_is_a_mistake_of_the_client(
    front: Front, logs: list[EventDict]
) -> None:
    response = await front.ask("query ($id: UUID!) { identified(id: $id) }", variables={"id": "x"})

    assert response.status_code == 422
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert not logs


async def test_suggestions_are_hidden(front: Front) -> None:
    error = await _error(front, "{ helo }")

    assert error["message"] == "Cannot query field 'helo' on type 'Query'."


async def test_null_for_an_optional_member_is_refused_in_words_of_graphql(front: Front) -> None:
    error = await _error(front, "{ patched(patch: { title: null }) }")

    assert error["message"] == "Field 'title' must not be null; leave it out instead."


async def test_two_members_of_a_choice_are_refused(front: Front) -> None:
    error = await _error(front, "{ chosen(choice: { left: 1, right: 2 }) }")

    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize("choice", [{}, {"left": 1, "right": 2}, {"left": None}])
async def test_a_wrong_choice_in_variables_is_found_by_its_path(
    front: Front, choice: dict[str, int | None]
) -> None:
    query = "query ($choices: [Choice!]!) { chosenOf(choices: $choices) }"

    response = await front.ask(query, variables={"choices": [{"left": 1}, choice]})

    (error,) = response.json()["errors"]
    assert response.status_code == 422
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "$choices" in error["message"]
    assert "[1]" in error["message"]
    assert "exactly one field must be specified" in error["message"]


def test_a_limited_caller_learns_when_to_come_back() -> None:
    error = masked_exception(RateLimited("Slow down.", datetime(2026, 9, 1, tzinfo=UTC)))

    assert error.extensions == {"code": "RATE_LIMITED", "retryAfter": "2026-09-01T00:00:00Z"}


def test_an_error_is_found_below_those_that_wrap_it() -> None:
    inner = GraphQLError("outer", original_error=CallerError("Mend it."))

    error = masked(GraphQLError("outermost", original_error=inner))

    assert (error.message, error.extensions) == ("Mend it.", {"code": "BAD_REQUEST"})


def test_a_code_that_a_resolver_gave_is_kept() -> None:
    error = masked(GraphQLError("Full.", extensions={"code": "FULL"}))

    assert error.extensions == {"code": "FULL"}
