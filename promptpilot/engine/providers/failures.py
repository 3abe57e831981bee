"""What a provider's refusal and a broken conversation with it mean: each as a step's failure.

Rules: this is the one place that knows the codes. A message holds the provider's own sentence, cut
and without the key of the call; never a header or the rest of a body. Whoever sent a request whose
answer was lost cannot know whether the provider acted, and says so.
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
from promptpilot.engine.providers.refusals import code_of, read_body, status_within, text_of
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed

MAX_SENTENCE: Final = 500
_MAX_READ: Final = 100_000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
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
_ADVICE: Final = {
    "PROVIDER_AUTH": "Check the key, what it may do, and the address it is for.",
    "PROVIDER_QUOTA_EXCEEDED": "Check the plan and the billing of the account.",
    "CONTEXT_TOO_LONG": "Shorten the prompt or choose a model with a larger context.",
}
#: How sentences end, and texts that were cut.
_ENDS: Final = ".!?…"
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
    body = read_body(refusal.body)
    code = code_of(refusal.status, body)
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
    body = read_body(body)
    status = status_within(body)
    code = code_of(status, body)
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


def usable_key(asked: Asked) -> str:
    """Return the key to send. Raises `StepFailed` when there is none, or none that can be sent."""
    if asked.account is None:
        raise StepFailed(f"{asked.name} is asked with a credential.", "CREDENTIAL_MISSING")
    if not _SENDABLE.fullmatch(asked.account.secret):
        message = f"The key for {asked.name} has characters that no key has; store it again."
        raise StepFailed(message, "PROVIDER_AUTH")
    return asked.account.secret


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


def _ended(words: str) -> str:
    """Return words as a sentence, so that another one can follow."""
    return f"{words}." if words and words[-1] not in _ENDS else words


def _message(asked: Asked, status: int | None, code: str, body: Any) -> str:
    if status is not None and HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"{asked.name} answered with a redirect, which is not followed; mend the base URL."
    said = _ended(sentence(asked, text_of(body)))
    begun = f"{asked.name} answered {status}" if status else f"{asked.name} broke off its answer"
    about = f"{begun}: {said}" if said else f"{begun}."
    if status == HTTPStatus.NOT_FOUND:
        check = f"that there is a model {asked.model!r}, that the key may use it, and the base URL"
        return f"{about} Check {check}."
    advice = _ADVICE.get(code)
    return f"{about} {advice}" if advice else about
