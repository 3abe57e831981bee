"""Every error has one status; what is not the caller's fault is masked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from promptpilot import errors
from promptpilot.clock import SystemClock
from promptpilot.rest.errors import WorkflowInactive, answer_error
from tests.rest.conftest import Site

_CLOCK = SystemClock()


def _answer(error: Exception) -> tuple[int, dict[str, Any], Any]:
    response = answer_error(error, _CLOCK)
    return response.status_code, json.loads(bytes(response.body))["error"], response.headers


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.CallerError("x"), 400),
        (errors.Required("x"), 400),
        (errors.LimitExceeded("x", 1), 400),
        (errors.InvalidMany([]), 400),
        (errors.Unauthenticated("x"), 401),
        (errors.BadCredentials("x"), 401),
        (errors.SignatureInvalid("x", "y"), 401),
        (errors.PermissionDenied("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.IdempotencyMismatch("x"), 409),
        (WorkflowInactive("x", "INACTIVE"), 409),
        (errors.PayloadTooLarge("x", 1), 413),
        (errors.Unavailable("x"), 503),
        (OSError("the database went away"), 503),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert _answer(error)[0] == status


@pytest.mark.parametrize(
    "error", [ValueError("s3cret"), errors.InvariantBroken("s3cret"), errors.LeaseLost("s3cret")]
)
def test_a_fault_of_ours_is_masked(error: Exception) -> None:
    status, body, _ = _answer(error)

    assert (status, body["code"]) == (500, "INTERNAL")
    assert "s3cret" not in json.dumps(body)


def test_a_limited_caller_is_told_when_to_come_again() -> None:
    error = errors.RateLimited("x", _CLOCK.now() + timedelta(seconds=7))

    status, _, headers = _answer(error)

    assert status == 429
    assert 6 <= int(headers["retry-after"]) <= 7


def test_every_fault_is_a_detail_with_its_place_in_the_body() -> None:
    faults = [
        errors.Required("a is missing", ("input", "input", "a")),
        errors.InvalidInput("b is wrong", ("input", "input", "b", 0)),
    ]

    _, body, _ = _answer(errors.InvalidMany(faults))

    assert [each["path"] for each in body["details"]] == ["input.a", "input.b.0"]
    assert [each["code"] for each in body["details"]] == ["REQUIRED", "INVALID_INPUT"]


async def test_an_unknown_address_and_a_wrong_method_answer_in_the_same_form(site: Site) -> None:
    unknown = await site.client.get("/nothing")
    wrong = await site.client.get("/api/webhooks/x")

    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"] == "POST"
