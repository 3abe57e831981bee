"""Proves which code a refusal has, in the words of each provider, and what is told of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.failures import (
    MAX_SENTENCE,
    Asked,
    Refusal,
    failure_of,
    refused,
    refused_midway,
    told_as_failures,
)
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "sk-test-1234567890abcdef"
ASKED = Asked(ModelProvider.OPENAI, "gpt-none", Account(KEY))


def _error(message: str = "no", **members: Any) -> dict[str, Any]:
    return {"error": {"message": message, **members}}


#: Bodies as providers send them, by status -> the code.
REFUSALS: list[tuple[int, Any, str]] = [
    (429, _error(code="insufficient_quota"), "PROVIDER_QUOTA_EXCEEDED"),
    (429, _error(type="insufficient_quota"), "PROVIDER_QUOTA_EXCEEDED"),
    (429, _error(code="rate_limit_exceeded"), "PROVIDER_RATE_LIMITED"),
    (429, _error(type="rate_limit_error"), "PROVIDER_RATE_LIMITED"),
    (429, _error(status="RESOURCE_EXHAUSTED"), "PROVIDER_RATE_LIMITED"),
    (429, "<html>slow down</html>", "PROVIDER_RATE_LIMITED"),
    (400, _error(code="context_length_exceeded"), "CONTEXT_TOO_LONG"),
    (400, _error("This model's maximum context length is 8192 tokens."), "CONTEXT_TOO_LONG"),
    (400, _error("prompt is too long: 210000 tokens > 200000 maximum"), "CONTEXT_TOO_LONG"),
    (400, _error("The input token count (9) exceeds the maximum (8)."), "CONTEXT_TOO_LONG"),
    (400, _error(type="exceed_context_size_error"), "CONTEXT_TOO_LONG"),
    (413, _error(type="request_too_large"), "CONTEXT_TOO_LONG"),
    (400, _error(code="content_filter"), "CONTENT_FILTERED"),
    (400, _error(code="content_policy_violation"), "CONTENT_FILTERED"),
    (400, _error(innererror={"code": "ResponsibleAIPolicyViolation"}), "CONTENT_FILTERED"),
    (400, _error(details=[{"reason": "API_KEY_INVALID"}]), "PROVIDER_AUTH"),
    (400, _error("Your credit balance is too low to access it."), "PROVIDER_QUOTA_EXCEEDED"),
    (401, _error(code="invalid_api_key"), "PROVIDER_AUTH"),
    (403, _error(status="PERMISSION_DENIED"), "PROVIDER_AUTH"),
    (404, _error(code="model_not_found"), "PROVIDER_BAD_REQUEST"),
    (404, _error(code="DeploymentNotFound"), "PROVIDER_BAD_REQUEST"),
    (400, _error(code="unsupported_parameter"), "PROVIDER_BAD_REQUEST"),
    (422, {"detail": [{"loc": ["body"], "msg": "odd"}]}, "PROVIDER_BAD_REQUEST"),
    (400, [_error(status="INVALID_ARGUMENT")], "PROVIDER_BAD_REQUEST"),
    (500, _error("context length"), "PROVIDER_UNAVAILABLE"),
    (529, _error(type="overloaded_error"), "PROVIDER_UNAVAILABLE"),
    (302, "", "PROVIDER_BAD_REQUEST"),
    (418, None, "PROVIDER_BAD_REQUEST"),
]
#: Errors in the place of the rest of a stream -> the code.
MIDWAY: list[tuple[Any, str]] = [
    ({"type": "overloaded_error", "message": "busy"}, "PROVIDER_UNAVAILABLE"),
    (_error(type="rate_limit_error"), "PROVIDER_RATE_LIMITED"),
    (_error(code=429), "PROVIDER_RATE_LIMITED"),
    (_error(code=502), "PROVIDER_UNAVAILABLE"),
    (_error(code="content_filter"), "CONTENT_FILTERED"),
    (_error(type="invalid_request_error"), "PROVIDER_BAD_REQUEST"),
    ({"error": "the model crashed"}, "PROVIDER_UNAVAILABLE"),
    (None, "PROVIDER_UNAVAILABLE"),
    ([], "PROVIDER_UNAVAILABLE"),
    (b"\xff", "PROVIDER_UNAVAILABLE"),
]
#: Ways to say the same sentence.
SHAPES: list[Any] = [
    {"error": {"message": "Alas."}},
    {"error": "Alas."},
    {"message": "Alas."},
    {"detail": "Alas."},
    [{"error": {"message": "Alas."}}],
    "Alas.",
]


@pytest.mark.parametrize(("status", "body", "code"), REFUSALS)
def test_a_refusal_has_its_code(status: int, body: Any, code: str) -> None:
    sent = body if isinstance(body, str) else json.dumps(body)

    failure = refused(ASKED, Refusal(status, {}, sent.encode()), NOW)

    assert failure.error_code == code
    assert failure.is_outcome_unknown == (status >= 500)


@pytest.mark.parametrize(("body", "code"), MIDWAY)
def test_an_error_within_a_stream_has_its_code(body: Any, code: str) -> None:
    failure = refused_midway(ASKED, body)

    assert failure.error_code == code
    assert failure.is_outcome_unknown


@pytest.mark.parametrize("body", SHAPES)
def test_the_sentence_of_the_provider_is_told(body: Any) -> None:
    failure = refused(ASKED, Refusal(400, {}, body), NOW)

    assert failure.message == "OpenAI answered 400: Alas."


@pytest.mark.parametrize("said", ["It does not exist.", "It does not exist"])
def test_a_model_that_is_not_there_is_named(said: str) -> None:
    failure = refused(ASKED, Refusal(404, {}, _error(said)), NOW)

    assert "It does not exist. Check" in failure.message
    assert "'gpt-none'" in failure.message


def test_a_page_of_html_is_not_told() -> None:
    failure = refused(ASKED, Refusal(502, {}, b"<html><h1>Bad gateway</h1></html>"), NOW)

    assert failure.message == "OpenAI answered 502."


@pytest.mark.parametrize(
    "written", [KEY, base64.b64encode(KEY.encode()).decode(), KEY.replace("-", "%2D")]
)
@pytest.mark.parametrize("before", [0, MAX_SENTENCE - 10, MAX_SENTENCE * 5])
def test_no_sentence_holds_the_key_or_is_long(written: str, before: int) -> None:
    body = _error(f"{'x ' * (before // 2)}{written} is wrong\x00\ud800")

    failure = refused(ASKED, Refusal(401, {}, body), NOW)

    assert written[:12] not in failure.message
    assert len(failure.message) < MAX_SENTENCE + 150
    assert "\x00" not in failure.message


def test_a_failure_is_found_inside_what_a_library_made_of_it() -> None:
    wrapped = RuntimeError("connection error")
    wrapped.__cause__ = StepFailed("too slow", "HTTP_TIMEOUT", is_retryable=True)

    failure = failure_of(ASKED, wrapped)

    assert (failure.error_code, failure.message) == ("PROVIDER_TIMEOUT", "too slow")
    assert failure.is_retryable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx2.ReadTimeout("slow"), "PROVIDER_TIMEOUT"),
        (httpx2.ReadError("cut"), "NETWORK"),
        (KeyError("choices"), "OUTPUT_INVALID"),
        (RecursionError(), "OUTPUT_INVALID"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), "OUTPUT_INVALID"),
    ],
)
def test_what_a_library_raises_has_its_code(error: Exception, code: str) -> None:
    failure = failure_of(ASKED, error)

    assert failure.error_code == code
    assert failure.is_retryable
    assert failure.is_outcome_unknown


def test_what_cannot_be_read_is_told_without_what_stands_there() -> None:
    with pytest.raises(StepFailed) as caught, told_as_failures(ASKED):
        json.loads(f"{{{KEY}")

    assert caught.value.error_code == "OUTPUT_INVALID"
    assert "it is not JSON" in caught.value.message
    assert KEY not in caught.value.message
