"""What a provider's refusal and a broken conversation with it mean: each as a step's failure.

Rules: this is the one place that knows the codes. A message holds the provider's own sentence, cut
and without the key of the call; never a header or the rest of a body. Whoever sent a request whose
answer was lost cannot know whether the provider acted, and says so.

Shapes: `{"error": {message, type, code, status, details}}` of OpenAI, Azure, Anthropic and Google,
`{"error": "…"}`, `{"message": "…"}` and `{"detail": "…"}` of servers like them, and lists of one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import httpx2

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.patience import asked_wait
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed

MAX_SENTENCE: Final = 500
_MAX_READ: Final = 100_000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_NAMES: Final[Mapping[ModelProvider, str]] = {
    ModelProvider.OPENAI: "OpenAI",
    ModelProvider.AZURE_OPENAI: "Azure OpenAI",
    ModelProvider.ANTHROPIC: "Anthropic",
    ModelProvider.GOOGLE: "Google",
    ModelProvider.OPENAI_COMPATIBLE: "The provider",
    ModelProvider.SIMULATOR: "The simulator",
}
_CODES_OF_TRANSPORT: Final = {
    "HTTP_TIMEOUT": "PROVIDER_TIMEOUT",
    "RESPONSE_TOO_LARGE": "OUTPUT_TOO_LARGE",
}
_RETRYABLE: Final = frozenset(
    {
        "PROVIDER_RATE_LIMITED",
        "PROVIDER_UNAVAILABLE",
        "PROVIDER_TIMEOUT",
        "NETWORK",
        "OUTPUT_INVALID",
    }
)
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
_ADVICE: Final = {
    "PROVIDER_AUTH": "Check the key, what it may do, and the address it is for.",
    "PROVIDER_QUOTA_EXCEEDED": "Check the plan and the billing of the account.",
    "CONTEXT_TOO_LONG": "Shorten the prompt or choose a model with a larger context.",
}
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
#: What reading an answer raises that is not what its provider promises.
_MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a call asks for which model, and with whose account."""

    provider: ModelProvider
    model: str
    account: Account | None

    @property
    def name(self) -> str:
        """Return the provider's name as a sentence begins with it."""
        return _NAMES[self.provider]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none: its status, its headers by lower-case name, and its body."""

    status: int
    headers: Mapping[str, str]
    body: Any = None

    @classmethod
    def of(cls, response: httpx2.Response) -> Refusal:
        """Return that of a response whose body was read."""
        return cls(response.status_code, dict(response.headers), response.content)


def refused(asked: Asked, refusal: Refusal, now: datetime) -> StepFailed:
    """Return what an answer with another status than 200 means."""
    body = _read(refusal.body)
    code = _code(refusal.status, body)
    is_own_fault = refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return StepFailed(
        _message(asked, refusal.status, code, body),
        code,
        is_retryable=code in _RETRYABLE,
        details={"status": refusal.status},
        retry_after=asked_wait(refusal.headers, body, now) if code in _RETRYABLE else None,
        is_outcome_unknown=is_own_fault or refusal.status == HTTPStatus.REQUEST_TIMEOUT,
    )


def refused_midway(asked: Asked, body: Any) -> StepFailed:
    """Return what an error means that came instead of the rest of a stream."""
    body = _read(body)
    status = _status_within(body)
    code = _code(status, body)
    return StepFailed(
        _message(asked, None, code, body),
        code,
        is_retryable=code in _RETRYABLE,
        is_outcome_unknown=True,
    )


def filtered(asked: Asked, reason: str) -> StepFailed:
    """Return the failure of an answer that was withheld; `reason` is the provider's word for it."""
    message = f"{asked.name} withheld the answer ({sentence(asked, reason)})."
    return StepFailed(message, "CONTENT_FILTERED")


def malformed(asked: Asked, what: str) -> StepFailed:
    """Return the failure of an answer that cannot be read; `what` is wrong with it."""
    message = f"{asked.name} sent an answer that cannot be read: {what}."
    return StepFailed(message, "OUTPUT_INVALID", is_retryable=True, is_outcome_unknown=True)


def cut(asked: Asked) -> StepFailed:
    """Return the failure of a stream that ended before the answer did."""
    message = f"{asked.name} ended the stream before the answer was complete."
    return StepFailed(message, "NETWORK", is_retryable=True, is_outcome_unknown=True)


def unusable(asked: Asked, what: str) -> StepFailed:
    """Return the failure of a request that this provider cannot be sent; nothing was."""
    return StepFailed(f"{asked.name} cannot be asked: {what}", "PROVIDER_BAD_REQUEST")


@contextmanager
def told_as_failures(asked: Asked) -> Iterator[None]:
    """Turn what went wrong within into a `StepFailed`, wherever a library hid its cause.

    Refusals are the business of whoever knows the library; they must be caught inside.
    """
    try:
        yield
    except StepFailed as failure:
        raise failure_of(asked, failure) from None
    except _MALFORMED as error:
        hidden = _within(error)
        raise failure_of(asked, hidden or error) from None


def failure_of(asked: Asked, error: BaseException) -> StepFailed:
    """Return the failure that an exception of the transport or of a library stands for."""
    failure = _within(error)
    if failure is not None:
        return _in_terms_of_models(failure)
    if isinstance(error, httpx2.TimeoutException):
        message = f"{asked.name} took too long."
        return StepFailed(message, "PROVIDER_TIMEOUT", is_retryable=True, is_outcome_unknown=True)
    if isinstance(error, httpx2.TransportError):
        return cut(asked)
    return malformed(asked, _what_is_wrong(error))


def sentence(asked: Asked, text: str) -> str:
    """Return a provider's own words as they may be stored: one line, cut, without the key."""
    if len(text) > _MAX_READ:
        return ""
    words = " ".join(_UNSTORABLE.sub("�", text).split())
    secrets = [asked.account.secret] if asked.account else []
    clean = Scrubber(secrets).text(words)
    return clean if len(clean) <= MAX_SENTENCE else f"{clean[: MAX_SENTENCE - 1]}…"


def _within(error: BaseException) -> StepFailed | None:
    """Return the failure that a library wrapped."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, StepFailed):
        cause = cause.__cause__ or cause.__context__
    return cause


def _in_terms_of_models(failure: StepFailed) -> StepFailed:
    code = _CODES_OF_TRANSPORT.get(failure.error_code)
    if code is None:
        return failure
    return StepFailed(
        failure.message,
        code,
        is_retryable=failure.is_retryable,
        details=failure.details,
        is_outcome_unknown=failure.is_outcome_unknown,
    )


def _what_is_wrong(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it has too many levels of lists and objects"
    if isinstance(error, json.JSONDecodeError):
        return "it is not JSON"
    return "it has not the shape that this provider promises"


def _code(status: int, body: Any) -> str:
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


def _told_by(body: Any) -> str | None:
    words = " ".join(_words_of(body)).lower()[:_MAX_READ]
    return next((code for code, pattern in _WORDS if pattern.search(words)), None)


def _words_of(body: Any) -> Iterator[str]:
    """Give the texts of an error that tell what it is about."""
    error = _error_in(body)
    yield _text_of(body)
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


def _text_of(body: Any) -> str:
    """Return the sentence of an error; nothing for a page of HTML or what has no sentence."""
    if isinstance(body, str):
        return "" if body.lstrip().startswith("<") else body
    error = _error_in(body)
    found = (error.get(name) for name in ("message", "detail", "error"))
    return next((text for text in found if isinstance(text, str)), "")


def _status_within(body: Any) -> int:
    error = _error_in(body)
    code = error.get("code")
    if isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST:
        return code
    kinds = [str(error.get(name)).lower() for name in ("type", "code", "status")]
    known = (_STATUS_OF_KINDS[kind] for kind in kinds if kind in _STATUS_OF_KINDS)
    return next(known, HTTPStatus.BAD_REQUEST if _told_by(body) else HTTPStatus.BAD_GATEWAY)


def _message(asked: Asked, status: int | None, code: str, body: Any) -> str:
    if status is not None and HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"{asked.name} answered with a redirect, which is not followed; mend the base URL."
    said = sentence(asked, _text_of(body))
    begun = f"{asked.name} answered {status}" if status else f"{asked.name} broke off its answer"
    about = f"{begun}: {said}" if said else f"{begun}."
    if status == HTTPStatus.NOT_FOUND:
        check = f"that there is a model {asked.model!r}, that the key may use it, and the base URL"
        return f"{about} Check {check}."
    advice = _ADVICE.get(code)
    return f"{about} {advice}" if advice else about


def _read(body: Any) -> Any:
    """Return a body that came as bytes as JSON, or as text if it is none."""
    if not isinstance(body, bytes):
        return body
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
