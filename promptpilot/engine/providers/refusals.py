"""Reads the bodies of refusals, which each provider shapes in its own way.

Shapes: `{"error": {message, type, code, status, details}}` of OpenAI, Azure, Anthropic and Google,
`{"error": "…"}`, `{"message": "…"}` and `{"detail": "…"}` of servers like them, and lists of one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

_MAX_READ: Final = 100_000
#: Words of a body, by the code that they mean; the first that is found counts.
_WORDS: Final = (
    (
        "PROVIDER_QUOTA_EXCEEDED",
        re.compile(
            r"insufficient_quota|billing_(?:hard_limit|error|not_active)|credit balance is too low"
            r"|insufficient (?:credits|balance)|exceeded your current quota, please check your plan"
        ),
    ),
    (
        "CONTENT_FILTERED",
        re.compile(
            r"content_filter|content_policy_violation|responsibleaipolicyviolation"
            r"|prohibited_content"
        ),
    ),
    (
        "CONTEXT_TOO_LONG",
        re.compile(
            r"context_length_exceeded|context length|exceed_context_size|available context size"
            r"|prompt is too long|input token count.{0,80}exceeds|request_too_large|context window"
            r"|string_above_max_length"
        ),
    ),
    (
        "PROVIDER_AUTH",
        re.compile(
            r"invalid_api_key|api_key_invalid|api key not valid|authentication_error"
            r"|permission_error|unauthenticated"
        ),
    ),
)
#: Kinds of errors that come within a stream, where there is no status.
_STATUS_OF_KINDS: Final = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "permission_error": 403,
    "authentication_error": 401,
    "timeout_error": 504,
}
_MAY_PASS: Final = {
    408: "PROVIDER_TIMEOUT",
    409: "PROVIDER_UNAVAILABLE",
    425: "PROVIDER_UNAVAILABLE",
}


def read_body(body: Any) -> Any:
    """Return a body that came as bytes as JSON, or as text if it is none."""
    if not isinstance(body, bytes):
        return body
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def code_of(status: int, body: Any) -> str:
    """Return the code that a status and a body stand for."""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "PROVIDER_BAD_REQUEST"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "PROVIDER_AUTH"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "PROVIDER_UNAVAILABLE"
    told = _told_by(body)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return told if told == "PROVIDER_QUOTA_EXCEEDED" else "PROVIDER_RATE_LIMITED"
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return "PROVIDER_QUOTA_EXCEEDED"
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "CONTEXT_TOO_LONG"
    return _MAY_PASS.get(status) or told or "PROVIDER_BAD_REQUEST"


def status_within(body: Any) -> int:
    """Return the status that an error has which came within a stream, where there is none."""
    error = _error_in(body)
    code = error.get("code")
    if isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST:
        return code
    kinds = [str(error.get(name)).lower() for name in ("type", "code", "status")]
    known = (_STATUS_OF_KINDS[kind] for kind in kinds if kind in _STATUS_OF_KINDS)
    return next(known, HTTPStatus.BAD_REQUEST if _told_by(body) else HTTPStatus.BAD_GATEWAY)


def text_of(body: Any) -> str:
    """Return the sentence of an error; nothing for a page of HTML or what has no sentence."""
    if isinstance(body, str):
        return "" if body.lstrip().startswith("<") else body
    error = _error_in(body)
    found = (error.get(name) for name in ("message", "detail", "error"))
    return next((text for text in found if isinstance(text, str)), "")


def _told_by(body: Any) -> str | None:
    words = " ".join(_words_of(body)).lower()[:_MAX_READ]
    return next((code for code, pattern in _WORDS if pattern.search(words)), None)


def _words_of(body: Any) -> Iterator[str]:
    """Give the texts of an error that tell what it is about."""
    error = _error_in(body)
    yield text_of(body)
    for name in ("type", "code", "status"):
        if isinstance(error.get(name), str):
            yield error[name]
    inner = error.get("innererror")
    if isinstance(inner, dict) and isinstance(inner.get("code"), str):
        yield inner["code"]
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and isinstance(detail.get("reason"), str):
            yield detail["reason"]


def _error_in(body: Any) -> dict[str, Any]:
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get("error")
    return error if isinstance(error, dict) else body
