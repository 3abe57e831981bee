"""Proves that the HTTP endpoint answers as GraphQL over HTTP says: statuses, types, bodies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from starlette.types import Message

from promptpilot.front.limits import Limits
from promptpilot.front.negotiation import LEGACY, RESPONSE
from tests.front.endpoint import JSON_BODY, Front
from tests.front.sample import Probe

URQL = f"{RESPONSE}, application/graphql+json, {LEGACY}, text/event-stream, multipart/mixed"


async def test_a_query_is_answered(front: Front) -> None:
    response = await front.ask("query ($n: String!) { hello(name: $n) }", variables={"n": "you"})

    assert response.status_code == 200
    assert response.json()["data"] == {"hello": "Hello, you!"}


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, LEGACY),
        ("*/*", LEGACY),
        (LEGACY, LEGACY),
        (RESPONSE, RESPONSE),
        (URQL, RESPONSE),
        (f"text/event-stream, {LEGACY}", LEGACY),
        (f"{LEGACY};q=0.4, {RESPONSE};q=0.5", RESPONSE),
    ],
)
async def test_the_media_type_is_the_one_asked_for(
    front: Front, accept: str | None, answered: str
) -> None:
    response = await front.ask("{ hello }", accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "telling", "legacy", "audit"),
    [
        ({"query": "{ hello"}, 400, 200, 400),
        ({"query": ""}, 400, 200, 400),
        ({"query": "{ nothing }"}, 422, 200, 400),
        ({"query": "query ($x: Int!) { number(value: $x) }"}, 422, 200, 400),
        ({"query": "{ hello }", "operationName": "Other"}, 422, 200, 400),
        ({"query": "query A { hello } query B { hello }"}, 422, 200, 400),
        ({"query": "{ broken hello }"}, 294, 200, 200),
        ({"query": "{ hello }"}, 200, 200, 200),
        ({"query": None}, 422, 400, 400),
        ({"query": {}}, 422, 400, 400),
        ({"query": "{ hello }", "variables": []}, 422, 400, 400),
        ({"query": "{ hello }", "operationName": 1}, 422, 400, 400),
        ({"query": "{ hello }", "extensions": "x"}, 422, 400, 400),
        ([{"query": "{ hello }"}], 422, 400, 400),
    ],
)
async def test_the_status_follows_the_media_type_and_the_profile(
    probe: Probe, body: object, telling: int, legacy: int, audit: int
) -> None:
    plain, audited = Front(probe), Front(probe, profile="audit")

    statuses = [
        (await plain.send("POST", RESPONSE, json=body)).status_code,
        (await plain.send("POST", LEGACY, json=body)).status_code,
        (await audited.send("POST", RESPONSE, json=body)).status_code,
    ]

    assert statuses == [telling, legacy, audit]


@pytest.mark.parametrize("member", ["variables", "operationName", "extensions"])
async def test_null_members_are_the_same_as_absent_ones(front: Front, member: str) -> None:
    response = await front.ask("{ hello }", **{member: None})

    assert response.json()["data"] == {"hello": "Hello, world!"}


async def test_two_operations_without_a_name_are_not_executed(front: Front, probe: Probe) -> None:
    response = await front.ask("mutation A { rename(name: 1) } mutation B { rename(name: 2) }")

    assert response.status_code == 422
    assert not probe.contexts


async def test_the_named_operation_of_several_is_executed(front: Front) -> None:
    response = await front.ask('query A { hello } query B { hello(name: "B") }', operationName="B")

    assert response.json()["data"] == {"hello": "Hello, B!"}


async def test_the_empty_operation_name_is_the_same_as_none(front: Front) -> None:
    response = await front.ask("query A { hello }", operationName="")

    assert response.status_code == 200


@pytest.mark.parametrize("parameters", [{}, {"variables": "", "operationName": ""}])
async def test_a_query_over_get_takes_empty_parameters_for_absent(
    front: Front, parameters: dict[str, str]
) -> None:
    response = await front.send("GET", params={"query": "{ hello }", **parameters})

    assert response.json()["data"] == {"hello": "Hello, world!"}


async def test_variables_over_get_are_json(front: Front) -> None:
    query = "query ($n: String!) { hello(name: $n) }"

    good = await front.send("GET", params={"query": query, "variables": '{"n": "you"}'})
    bad = await front.send("GET", params={"query": query, "variables": "{n}"})

    assert good.json()["data"] == {"hello": "Hello, you!"}
    assert (bad.status_code, bad.json()["errors"][0]["message"]) == (
        400,
        "'variables' is not JSON, at character 2.",
    )


async def test_a_mutation_over_get_is_not_executed(front: Front, probe: Probe) -> None:
    response = await front.send("GET", params={"query": 'mutation { rename(name: "x") }'})

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}
    assert not probe.contexts


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_told_what_is_allowed(front: Front, method: str) -> None:
    response = await front.send(method)

    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert response.json()["errors"][0]["message"] == "GraphQL is served on GET and POST."


@pytest.mark.parametrize("accept", [RESPONSE, LEGACY, "multipart/mixed", None])
async def test_a_subscription_as_a_plain_post_is_not_acceptable(
    front: Front, accept: str | None
) -> None:
    response = await front.ask("subscription { count(to: 1) }", accept)

    assert response.status_code == 406
    assert response.json()["errors"][0]["extensions"] == {"code": "NOT_ACCEPTABLE"}


@pytest.mark.parametrize("accept", ["text/plain", "multipart/mixed", f"{LEGACY};q=0"])
async def test_a_client_that_takes_no_json_is_told_so_in_json(front: Front, accept: str) -> None:
    response = await front.ask("{ hello }", accept)

    assert response.status_code == 406
    assert response.headers["content-type"] == f"{RESPONSE}; charset=utf-8"
    assert response.json()["errors"]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
async def test_bodies_that_are_not_json_in_utf8_are_refused(
    front: Front, content_type: str
) -> None:
    headers = {"content-type": content_type}

    response = await front.send("POST", content=b'{"query":"{ hello }"}', headers=headers)

    assert (response.status_code, response.headers["accept-post"]) == (415, LEGACY)
    assert response.json()["errors"][0]["extensions"] == {"code": "UNSUPPORTED_MEDIA_TYPE"}


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
async def test_content_types_are_compared_without_regard_to_case(
    front: Front, content_type: str
) -> None:
    headers = {"content-type": content_type}

    response = await front.send("POST", content=b'{"query":"{ hello }"}', headers=headers)

    assert response.status_code == 200


async def test_a_body_over_the_limit_is_refused(front: Front) -> None:
    response = await front.post(b'{"query":"{ hello }"}' + b" " * 256 * 1024)

    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"] == {"code": "PAYLOAD_TOO_LARGE"}


async def test_a_body_without_a_length_is_bounded_too(probe: Probe) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "

    front = Front(probe, Limits(max_body=50))

    response = await front.send("POST", content=chunks(), headers=JSON_BODY)

    assert response.status_code == 413


async def test_a_slow_operation_is_stopped_at_the_limit(probe: Probe) -> None:
    front = Front(probe, Limits(timeout=timedelta(milliseconds=20)))

    response = await front.ask("{ stuck }")

    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (
        503,
        "TIMEOUT",
    )
    assert probe.closed.is_set()


async def test_errors_are_bounded(probe: Probe) -> None:
    front = Front(probe, Limits(max_errors=3))

    response = await front.ask("{" + " ".join(f"nothing{n}" for n in range(15)) + "}")

    assert len(response.json()["errors"]) == 3


async def test_a_message_that_quotes_a_long_value_is_cut(front: Front) -> None:
    members = " ".join(f"a{n}: 1" for n in range(400))

    response = await front.ask(f"{{ patched(patch: {{ {members} }}) }}")

    assert max(len(error["message"]) for error in response.json()["errors"]) == 1001


async def test_values_without_a_form_in_json_are_mended(front: Front) -> None:
    response = await front.ask("{ infinite }")

    assert response.json()["data"] == {"infinite": {"value": None, "big": 2**70, "1": "\ufffd"}}


async def test_an_answer_that_cannot_be_written_is_a_fault(front: Front) -> None:
    response = await front.ask("{ unwritable }")

    assert response.status_code == 500
    assert response.json()["errors"][0]["message"] == "Internal server error"


async def test_a_client_that_leaves_while_sending_is_not_answered(front: Front) -> None:
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await front.app()({**scope, "query_string": b"", "root_path": ""}, receive, send)

    assert not sent


async def test_answers_are_not_cached(front: Front) -> None:
    response = await front.send("GET", params=urlencode({"query": "{ hello }"}))

    assert response.headers["cache-control"] == "no-store"


async def test_a_list_in_the_variables_is_bounded(probe: Probe) -> None:
    front = Front(probe, Limits(max_list=3))
    query = "query ($v: JSON!) { echo(value: $v) }"

    answers = [await front.ask(query, variables={"v": {"a": [0] * size}}) for size in (3, 4)]

    assert [answer.status_code for answer in answers] == [200, 422]
    assert "A list in the variables has 4 items; at most 3" in answers[1].text


async def test_suggestions_are_shown_where_they_are_wanted(probe: Probe) -> None:
    front = Front(probe, Limits(hides_suggestions=False))

    response = await front.ask("{ helo }")

    assert "Did you mean 'hello'?" in response.text
