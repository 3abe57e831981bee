"""Proves what a WEBHOOK sends, what it makes of every answer, and that it shows no secret."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot import __version__
from promptpilot.engine.definition import Step
from promptpilot.engine.egress.messages import HttpResponse
from promptpilot.engine.step_configs import HttpMethod, RequestConfig, RequestHeader
from promptpilot.engine.steps.base import Done
from promptpilot.engine.steps.webhook import WebhookStep
from promptpilot.errors import StepFailed
from tests.support.contexts import context
from tests.support.senders import SIGNING_SECRET, FakeSecrets, FakeSender, answered

URL = "https://api.example.com/v1"
SECRET = RequestHeader("Authorization", is_secret=True, secret_id="sec_1")
SECRETS = FakeSecrets({"sec_1": "Bearer s3cr3t-value"})
JSON = "application/json"


@pytest.fixture
def sender() -> FakeSender:
    """Give the other server."""
    return FakeSender()


def requesting(url: str = URL, **others: Any) -> Step:
    """Make a step that sends a request."""
    return Step("notify", RequestConfig(url, **others))


async def send(sender: FakeSender, step: Step, **input: Any) -> Done:
    """Run the step."""
    return await WebhookStep().run(context(step, http=sender, secrets=SECRETS, **input))


async def failure(sender: FakeSender, step: Step, **input: Any) -> StepFailed:
    """Run a step that fails and return why."""
    with pytest.raises(StepFailed) as failed:
        await send(sender, step, **input)
    return failed.value


async def test_the_body_is_json_and_a_lone_placeholder_keeps_its_type(sender: FakeSender) -> None:
    step = requesting(body={"n": "{{ input.n }}", "text": ["n is {{ input.n }}"], "x": 1})

    await send(sender, step, n=[1, True])

    (request,) = sender.sent
    assert (request.method, request.url) == ("POST", URL)
    assert request.body == b'{"n":[1,true],"text":["n is [1,true]"],"x":1}'
    assert sender.headers["content-type"] == JSON


async def test_it_says_who_sends_and_which_request_it_is(sender: FakeSender) -> None:
    await send(sender, requesting())

    assert sender.headers["user-agent"] == f"PromptPilot/{__version__}"
    assert sender.headers["idempotency-key"] == sender.headers["webhook-id"] == "key"


@pytest.mark.parametrize("method", list(HttpMethod))
async def test_without_a_body_none_is_sent(sender: FakeSender, method: HttpMethod) -> None:
    await send(sender, requesting(method=method))

    assert (sender.sent[0].method, sender.sent[0].body) == (method.value, None)
    assert "content-type" not in sender.headers


async def test_headers_are_templates_and_go_before_the_defaults(sender: FakeSender) -> None:
    own = (
        RequestHeader("content-type", "application/vnd.x+json"),
        RequestHeader("User-agent", "me"),
        RequestHeader("X-Name", " {{ input.name }}!\t"),
    )

    await send(sender, requesting(headers=own, body={}), name="Ada")

    names = [name.lower() for name, _ in sender.sent[0].headers]
    assert sender.sent[0].headers[2] == ("X-Name", "Ada!")
    assert sender.headers["content-type"] == "application/vnd.x+json"
    assert len(names) == len(set(names))


async def test_the_steps_own_inputs_go_into_the_request(sender: FakeSender) -> None:
    step = replace(requesting(f"{URL}/{{{{ id }}}}"), inputs={"id": "input.n + 1"})

    await send(sender, step, n=1)

    assert sender.sent[0].url == f"{URL}/2"


async def test_a_secret_is_sent_and_not_shown(sender: FakeSender) -> None:
    plain = RequestHeader("X-Team", "{{ input.team }}")

    done = await send(sender, requesting(headers=(SECRET, plain), body={"a": 1}), team="blue")

    assert sender.headers["authorization"] == "Bearer s3cr3t-value"
    assert done.input == {
        "url": URL,
        "method": "POST",
        "headers": {"Authorization": "***", "X-Team": "blue"},
        "body": {"a": 1},
    }


async def test_a_secret_is_no_template(sender: FakeSender) -> None:
    secrets = FakeSecrets({"sec_1": "{{ input.n }}"})

    await WebhookStep().run(context(requesting(headers=(SECRET,)), http=sender, secrets=secrets))

    assert sender.headers["authorization"] == "{{ input.n }}"


async def test_headers_of_one_name_are_shown_together(sender: FakeSender) -> None:
    twice = (RequestHeader("X-Tag", "a"), RequestHeader("X-Tag", "b"))

    done = await send(sender, requesting(headers=twice))

    assert done.input["headers"] == {"X-Tag": "a, b"}


async def test_a_secret_that_is_not_there_sends_nothing(sender: FakeSender) -> None:
    lost = replace(SECRET, secret_id="sec_2")

    failed = await failure(sender, requesting(headers=(lost,)))

    assert (failed.error_code, sender.sent) == ("CREDENTIAL_MISSING", [])


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "nul\0", "é", "\x7f", "x" * 8193])
async def test_a_header_that_cannot_be_sent_is_named(sender: FakeSender, value: str) -> None:
    header = RequestHeader("X-Name", "{{ input.name }}")

    failed = await failure(sender, requesting(headers=(header,)), name=value)

    assert failed.message.startswith("Header 'X-Name' has ")
    assert (failed.error_code, failed.is_retryable, sender.sent) == ("REQUEST_INVALID", False, [])


@pytest.mark.parametrize(
    ("step", "start"),
    [
        (requesting(headers=(RequestHeader("X-Name", "{{ nobody }}"),)), "Header 'X-Name': "),
        (requesting("{{ nobody }}"), "{{ nobody }}: "),
        (requesting(body=["{{ nobody }}"]), "{{ nobody }}: "),
    ],
)
async def test_a_value_that_is_missing_sends_nothing(
    sender: FakeSender, step: Step, start: str
) -> None:
    failed = await failure(sender, step)

    assert failed.message.startswith(start)
    assert (failed.error_code, sender.sent) == ("TEMPLATE_UNRESOLVED", [])


async def test_a_body_that_is_no_json_sends_nothing(sender: FakeSender) -> None:
    failed = await failure(sender, requesting(body="{{ input.x }}"), x="nul\0")

    assert (failed.error_code, sender.sent) == ("REQUEST_INVALID", [])


async def test_a_request_may_go_without_a_signature(sender: FakeSender) -> None:
    await send(sender, requesting(is_signed=False, body={}))

    assert not any(name.startswith("webhook-") for name in sender.headers)
    assert sender.headers["idempotency-key"] == "key"


async def test_every_attempt_has_the_same_id_and_a_fresh_timestamp(sender: FakeSender) -> None:
    first = context(requesting(body={}), http=sender)
    second = replace(first, attempt=2, now=first.now + timedelta(seconds=90))

    seen = [(await WebhookStep().run(each), sender.headers)[1] for each in (first, second)]

    assert seen[0]["webhook-id"] == seen[1]["webhook-id"] == seen[1]["idempotency-key"]
    assert int(seen[1]["webhook-timestamp"]) - int(seen[0]["webhook-timestamp"]) == 90
    assert seen[0]["webhook-signature"] != seen[1]["webhook-signature"]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (answered(200), None),
        (answered(204), None),
        (answered(201, b'{"id": 7}', JSON), {"id": 7}),
        (answered(299, "é".encode(), "text/plain"), "é"),
    ],
)
async def test_success_is_the_output(sender: FakeSender, answer: HttpResponse, body: Any) -> None:
    sender.answer = answer

    output = (await send(sender, requesting())).output

    assert (output["status"], output["body"]) == (answer.status, body)


async def test_only_headers_of_the_list_are_kept(sender: FakeSender) -> None:
    sender.answer = answered(200, etag='"1"', set_cookie="session=1", x_request_id="r")

    output = (await send(sender, requesting())).output

    assert output["headers"] == {"etag": '"1"', "x-request-id": "r"}


async def test_an_answer_that_cannot_be_read_fails_although_the_other_side_has_acted(
    sender: FakeSender,
) -> None:
    sender.answer = answered(200, b'{"a": NaN}', JSON)

    failed = await failure(sender, requesting())

    assert (failed.error_code, failed.is_retryable) == ("OUTPUT_INVALID", True)
    assert failed.is_outcome_unknown


@pytest.mark.parametrize(
    ("status", "code", "flags"),
    [
        (300, "HTTP_REDIRECT", (False, False)),
        (302, "HTTP_REDIRECT", (False, False)),
        (304, "HTTP_REDIRECT", (False, False)),
        (400, "HTTP_4XX", (False, False)),
        (404, "HTTP_4XX", (False, False)),
        (408, "HTTP_4XX", (True, True)),
        (409, "HTTP_4XX", (True, False)),
        (425, "HTTP_4XX", (True, False)),
        (429, "HTTP_4XX", (True, False)),
        (499, "HTTP_4XX", (False, False)),
        (500, "HTTP_5XX", (True, True)),
        (503, "HTTP_5XX", (True, True)),
        (529, "HTTP_5XX", (True, True)),
        (999, "HTTP_5XX", (True, True)),
    ],
)
async def test_a_status_says_what_it_means(
    sender: FakeSender, status: int, code: str, flags: tuple[bool, bool]
) -> None:
    sender.answer = answered(status)

    failed = await failure(sender, requesting())

    assert f"answered {status}" in failed.message
    assert failed.error_code == code
    assert (failed.is_retryable, failed.is_outcome_unknown) == flags


async def test_a_refusal_is_told_in_details(sender: FakeSender) -> None:
    sender.answer = answered(422, b'{"why": "no"}', JSON, set_cookie="a=b")

    failed = await failure(sender, requesting())

    assert failed.message == "The server answered 422 Unprocessable Entity."
    assert failed.details == {
        "status": 422,
        "body": '{"why": "no"}',
        "headers": {"content-type": JSON},
    }


async def test_where_a_redirect_leads_is_told(sender: FakeSender) -> None:
    sender.answer = answered(308, location="https://other.example.com/")

    failed = await failure(sender, requesting())

    assert failed.details["headers"] == {"location": "https://other.example.com/"}
    assert "Redirects are not followed" in failed.message


@pytest.mark.parametrize("size", [5_000, 500_000], ids=["small", "large"])
async def test_a_long_refusal_is_cut(sender: FakeSender, size: int) -> None:
    sender.answer = answered(500, b"x" * size)

    failed = await failure(sender, requesting())

    assert failed.details["body"] == "x" * 2000


async def test_a_refusal_that_repeats_a_secret_does_not_tell_it(sender: FakeSender) -> None:
    told = "x" * 1990 + " Bearer s3cr3t-value is wrong"
    sender.answer = answered(401, told.encode(), location=told)

    failed = await failure(sender, requesting(headers=(SECRET,)))

    assert len(failed.details["headers"]["location"]) == 2000
    assert "s3cr" not in str(failed.details)
    assert "Bear" not in str(failed.details)


async def test_a_server_may_say_when_to_come_again(sender: FakeSender) -> None:
    sender.answer = answered(429, retry_after="7")

    assert (await failure(sender, requesting())).retry_after == timedelta(seconds=7)


async def test_a_failure_of_the_sender_goes_through(sender: FakeSender) -> None:
    sender.answer = StepFailed("Cut.", "NETWORK", is_retryable=True, is_outcome_unknown=True)

    assert await failure(sender, requesting()) is sender.answer


async def test_all_signing_secrets_sign(sender: FakeSender) -> None:
    other = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
    secrets = FakeSecrets(signing=(other, SIGNING_SECRET))

    await WebhookStep().run(context(requesting(), http=sender, secrets=secrets))

    signatures = sender.headers["webhook-signature"].split(" ")
    assert len(signatures) == 2
    assert all(each.startswith("v1,") for each in signatures)
