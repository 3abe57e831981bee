"""How long a provider that refuses asks to wait, in the many ways in which they say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from promptpilot.engine.http_answers import retry_after

_LONGEST: Final = timedelta(days=1)
_NUMBER: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?")
_DURATION: Final = re.compile(
    r"(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,6}(?:\.\d+)?)s)?(?:(\d{1,9})ms)?"
)
_RESETS: Final = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")


def asked_wait(headers: Mapping[str, str], body: Any, now: datetime) -> timedelta | None:
    """Return how long to wait from `now` on; None when nothing sensible is said.

    `headers` are by lower-case names. Negative, absurd and unreadable waits are as if not said;
    how much of a wait is granted is the business of `retry`.
    """
    told = (
        _milliseconds(headers.get("retry-after-ms")),
        _seconds(headers.get("retry-after")),
        retry_after(headers.get("retry-after"), now),
        _of_details(body),
        _of_resets(headers),
    )
    return next(
        (wait for wait in told if wait is not None and timedelta() < wait <= _LONGEST), None
    )


def _seconds(text: str | None) -> timedelta | None:
    found = _NUMBER.fullmatch((text or "").strip())
    return timedelta(seconds=float(found[0])) if found else None


def _milliseconds(text: str | None) -> timedelta | None:
    found = _NUMBER.fullmatch((text or "").strip())
    return timedelta(milliseconds=float(found[0])) if found else None


def _of_resets(headers: Mapping[str, str]) -> timedelta | None:
    """Return the longest of the times after which a limit has room again (`6m0s`, `20ms`)."""
    waits = [_duration(headers[name]) for name in _RESETS if name in headers]
    return max((wait for wait in waits if wait is not None), default=None)


def _of_details(body: Any) -> timedelta | None:
    """Return what Google's `RetryInfo` says (`{"retryDelay": "30s"}`)."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            return _duration(detail["retryDelay"])
    return None


def _duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds, ms = (float(part or 0) for part in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=ms)
