"""Proves that a WEBHOOK step gets through to a server that misbehaves, and always ends in a code.

The step, the guarded client and the server are the real ones; only the workspace's secrets are
given by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from promptpilot.engine.definition import Step
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.step_configs import HttpMethod, RequestConfig, RequestHeader
from promptpilot.engine.steps.base import Done, StepContext
from promptpilot.engine.steps.webhook import WebhookStep
from promptpilot.errors import StepFailed
from promptpilot.json_values import check_json
from tests.support.contexts import context
from tests.support.hostile import BODIES, HostileServer, hostile_server
from tests.support.senders import SIGNING_SECRET, FakeSecrets

LIMITS = HttpLimits(
    connect_seconds=2.0,
    idle_seconds=0.3,
    total_seconds=5.0,
    max_body_bytes=1_100_000,
    max_header_bytes=10_000,
)
SECRET = "Bearer s3cr3t-4711-value"
SECRETS = FakeSecrets({"sec_1": SECRET})
SECRET_HEADER = RequestHeader("X-Key", is_secret=True, secret_id="sec_1")

#: What the server does -> the code of the failure, whether a retry may help, whether it is unknown
#: if the server has acted.
FAILURES = {
    "/hang": ("HTTP_TIMEOUT", True, True),
    "/hang-after-head": ("HTTP_TIMEOUT", True, True),
    "/close": ("NETWORK", True, True),
    "/reset": ("NETWORK", True, True),
    "/cut": ("NETWORK", True, True),
    "/reset-midway": ("NETWORK", True, True),
    "/upgrade": ("NETWORK", True, True),
    "/bad-status-line": ("NETWORK", True, True),
    "/bad-chunk": ("NETWORK", True, True),
    "/bad-length": ("NETWORK", True, True),
    "/two-lengths": ("NETWORK", True, True),
    "/bad-header": ("NETWORK", True, True),
    "/cut-gzip": ("NETWORK", True, True),
    "/huge/2": ("RESPONSE_TOO_LARGE", False, True),
    "/huge-unannounced/2": ("RESPONSE_TOO_LARGE", False, True),
    "/endless": ("RESPONSE_TOO_LARGE", False, True),
    "/endless-head": ("RESPONSE_TOO_LARGE", False, True),
    "/header-flood": ("RESPONSE_TOO_LARGE", False, True),
    "/gzip-bomb/2": ("RESPONSE_TOO_LARGE", False, True),
    "/html-as-json": ("OUTPUT_INVALID", True, True),
    "/bad-json": ("OUTPUT_INVALID", True, True),
    "/nan": ("OUTPUT_INVALID", True, True),
    "/huge-number": ("OUTPUT_INVALID", True, True),
    "/long-number": ("OUTPUT_INVALID", True, True),
    "/nul": ("OUTPUT_INVALID", True, True),
    "/raw-nul": ("OUTPUT_INVALID", True, True),
    "/surrogate": ("OUTPUT_INVALID", True, True),
    "/bad-utf8": ("OUTPUT_INVALID", True, True),
    "/deep": ("OUTPUT_INVALID", True, True),
    "/deep-object": ("OUTPUT_INVALID", True, True),
    "/twice-named": ("OUTPUT_INVALID", True, True),
    "/bytes": ("OUTPUT_INVALID", True, True),
    "/redirect/302?to=/json": ("HTTP_REDIRECT", False, False),
    "/redirect/308?to=/json": ("HTTP_REDIRECT", False, False),
    "/status/304": ("HTTP_REDIRECT", False, False),
    "/status/400": ("HTTP_4XX", False, False),
    "/status/401": ("HTTP_4XX", False, False),
    "/status/404": ("HTTP_4XX", False, False),
    "/status/408": ("HTTP_4XX", True, True),
    "/status/409": ("HTTP_4XX", True, False),
    "/status/413": ("HTTP_4XX", False, False),
    "/status/422": ("HTTP_4XX", False, False),
    "/status/425": ("HTTP_4XX", True, False),
    "/status/429": ("HTTP_4XX", True, False),
    "/status/500": ("HTTP_5XX", True, True),
    "/status/502": ("HTTP_5XX", True, True),
    "/status/529": ("HTTP_5XX", True, True),
}


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a hostile server of this test."""
    async with hostile_server() as running:
        yield running


def requesting(url: str, **others: Any) -> Step:
    """Make a step that sends a secret header and a body."""
    defaults = {"headers": (SECRET_HEADER,), "body": {"n": "{{ input.n }}"}}
    return Step("notify", RequestConfig(url, **{**defaults, **others}))


def attempt(step: Step, allowed: str = "127.0.0.1") -> StepContext:
    """Make the context of an attempt that may call this machine."""
    client = HttpClient(AllowList.of([allowed]), LIMITS)
    return context(step, http=client, secrets=SECRETS, n=7)


async def send(step: Step) -> Done:
    """Run the step."""
    return await WebhookStep().run(attempt(step))


async def failure(given: StepContext) -> StepFailed:
    """Run a step that fails and return why."""
    with pytest.raises(StepFailed) as failed:
        await WebhookStep().run(given)
    return failed.value


def told(failed: StepFailed) -> str:
    """Return everything that people see of a failure; fail if it could not be stored."""
    check_json([failed.message, failed.details])
    return repr([failed.message, failed.details])


@pytest.mark.parametrize("path", FAILURES)
async def test_every_misbehaviour_has_its_code(server: HostileServer, path: str) -> None:
    failed = await failure(attempt(requesting(server.url(path))))

    flags = (failed.is_retryable, failed.is_outcome_unknown)
    assert (failed.error_code, *flags) == FAILURES[path]
    assert SECRET not in told(failed)


async def test_a_redirect_is_not_followed(server: HostileServer) -> None:
    to = server.url("/json")

    failed = await failure(attempt(requesting(server.url(f"/redirect/307?to={to}"))))

    assert failed.details["headers"]["location"] == to
    assert len(server.journal.requests) == 1


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("seconds", 2),
        ("zero", None),
        ("fraction", None),
        ("negative", None),
        ("huge", None),
        ("text", None),
        ("empty", None),
        ("date", None),
        ("date-past", None),
        ("date-bad", None),
    ],
)
async def test_odd_times_to_come_again_are_left_out(
    server: HostileServer, kind: str, seconds: int | None
) -> None:
    failed = await failure(attempt(requesting(server.url(f"/retry-after/{kind}"))))

    wait = None if seconds is None else timedelta(seconds=seconds)
    assert (failed.error_code, failed.retry_after) == ("HTTP_4XX", wait)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/json", {"ok": True, "text": "grüße"}),
        ("/chunked", {"ok": True}),
        ("/gzip", {"ok": True, "text": "grüße"}),
        ("/text", "Grüße"),
        ("/latin1", "Grüße"),
        ("/html", BODIES["html"][1].decode()),
        ("/empty", None),
        ("/no-content", None),
    ],
)
async def test_what_can_be_read_is_the_output(server: HostileServer, path: str, body: Any) -> None:
    done = await send(requesting(server.url(path)))

    assert done.output["body"] == body
    assert done.output["status"] in {200, 204}


async def test_a_large_answer_is_read_while_others_go_on(server: HostileServer) -> None:
    done = await send(requesting(server.url("/huge/1")))

    assert done.output["body"] == "x" * 1_000_000


@pytest.mark.parametrize("method", list(HttpMethod))
async def test_what_arrives_is_proved_by_its_signature(
    server: HostileServer, method: HttpMethod
) -> None:
    given = attempt(requesting(server.url("/echo"), method=method))

    await WebhookStep().run(replace(given, now=datetime.now(UTC)))

    (seen,) = server.journal.requests
    assert seen.method == method
    assert Webhook(SIGNING_SECRET).verify(seen.body, dict(seen.headers)) == {"n": 7}


async def test_a_request_without_a_body_is_proved_too(server: HostileServer) -> None:
    given = attempt(requesting(server.url("/echo"), method=HttpMethod.GET, body=None))

    await WebhookStep().run(replace(given, now=datetime.now(UTC)))

    (seen,) = server.journal.requests
    Webhook(SIGNING_SECRET).verify(seen.body, dict(seen.headers), json_parse=False)
    assert (seen.body, seen.headers.get("content-type")) == (b"", None)


async def test_attempts_have_one_key_and_each_its_own_time(server: HostileServer) -> None:
    first = attempt(requesting(server.url("/flaky/1/a")))
    second = replace(first, attempt=2, now=first.now + timedelta(seconds=5))

    await failure(first)
    done = await WebhookStep().run(second)

    before, after = server.journal.requests
    assert done.output["body"] == {"attempt": 2}
    assert before.idempotency_key == after.idempotency_key == after.headers["webhook-id"]
    assert before.headers["webhook-timestamp"] < after.headers["webhook-timestamp"]


async def test_a_secret_reaches_the_server_and_is_not_shown(server: HostileServer) -> None:
    done = await send(requesting(server.url("/json")))

    assert server.journal.requests[0].headers["x-key"] == SECRET
    assert SECRET not in repr(done)
    assert done.input["headers"] == {"X-Key": "***"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://0:{port}/"]
)
async def test_a_private_address_is_refused_and_nothing_is_sent(
    server: HostileServer, url: str
) -> None:
    step = requesting(url.format(port=server.port))

    failed = await failure(attempt(step, allowed="10.0.0.1"))

    assert (failed.error_code, failed.is_retryable) == ("SSRF_BLOCKED", False)
    assert server.journal.connections == 0


async def test_nobody_listens(server: HostileServer) -> None:
    failed = await failure(attempt(requesting("http://127.0.0.1:1/")))

    assert (failed.error_code, failed.is_retryable) == ("NETWORK", True)
    assert not failed.is_outcome_unknown
