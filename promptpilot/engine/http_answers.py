"""Reads what another server answered: its body, the headers that are kept, when to come again.

Nothing here trusts the other server: whatever it sends leads to a value or to a typed failure.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from promptpilot.engine.egress.messages import HttpResponse
from promptpilot.engine.strict_json import parse_json
from promptpilot.errors import InvalidInput, StepFailed

#: Headers of an answer that are stored; all others may hold what belongs to nobody else.
KEPT_HEADERS: Final = (
    "content-type",
    "content-length",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "x-request-id",
    "request-id",
    "x-correlation-id",
)

_DEFAULT_CHARSET: Final = "utf-8"
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
#: What bodies are written in; other codecs of Python are no character sets, or are slow.
_READABLE: Final = re.compile(
    r"utf-8|ascii|utf-16(-[bl]e)?|iso8859-\d+|cp125\d|koi8-[ru]|shift_jis|euc_jp|euc_kr|gbk|gb2312"
    r"|gb18030|big5"
)
_JSON_TYPE: Final = re.compile(r"application/(?:[^;\s]+\+)?json|text/json|[a-z]+/[^;\s]+\+json")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_LONGEST_WAIT: Final = timedelta(days=366)
_LONGEST_DATE: Final = 64


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that may be stored."""
    return {name: _UNSTORABLE.sub("�", headers[name]) for name in KEPT_HEADERS if name in headers}


def read_body(response: HttpResponse) -> Any:
    """Return the body as its type says: JSON, or text; None if there is none.

    Raises `StepFailed` OUTPUT_INVALID for what cannot be read or not be stored. The other side has
    done its work by then, so the outcome counts as unknown.
    """
    body = response.body.removeprefix(codecs.BOM_UTF8)
    if not body:
        return None
    content_type = response.headers.get("content-type", "")
    if _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip().lower()):
        return _json(body)
    return _text(body, _charset(content_type))


def readable_text(response: HttpResponse) -> str:
    """Return the body as text for people, whatever it is; what cannot be read is replaced."""
    charset = _codec(_charset(response.headers.get("content-type", ""))) or _DEFAULT_CHARSET
    return _UNSTORABLE.sub("�", response.body.decode(charset, "replace"))


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Return how long a `Retry-After` header asks to wait from `now` on.

    None for a wait that is not positive, longer than a year, or unreadable.
    """
    if text is None or len(text) > _LONGEST_DATE:
        return None
    wait = _wait(text.strip(), now)
    return wait if wait is not None and timedelta() < wait <= _LONGEST_WAIT else None


def _json(body: bytes) -> Any:
    try:
        return parse_json(body, ("body",))
    except InvalidInput as fault:
        message = f"The answer says that it is JSON, but cannot be read. {fault.message}"
        raise _unreadable(message) from None


def _text(body: bytes, charset: str) -> str:
    codec = _codec(charset)
    if codec is None:
        raise _unreadable(f"The answer is written in {charset!r}, which is not known here.")
    try:
        text = body.decode(codec)
    except UnicodeError:
        raise _unreadable(f"The answer is no text in {charset}.") from None
    if _UNSTORABLE.search(text):
        raise _unreadable("The answer holds the character NUL, which cannot be stored.")
    return text


def _charset(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    return found[1] if found else _DEFAULT_CHARSET


def _codec(charset: str) -> str | None:
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return None
    return name if _READABLE.fullmatch(name) else None


def _unreadable(message: str) -> StepFailed:
    return StepFailed(message, "OUTPUT_INVALID", is_retryable=True, is_outcome_unknown=True)


def _wait(text: str, now: datetime) -> timedelta | None:
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - now
