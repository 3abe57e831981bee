"""Chooses the media type of an answer from the Accept header."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

RESPONSE = "application/graphql-response+json"
LEGACY = "application/json"
HTML = "text/html"
SSE = "text/event-stream"
MULTIPART = "multipart/mixed"

_SUBSCRIPTION_SPEC = "1.0"
_LONGEST_KNOWN = 250  # characters of a header that is remembered; those of clients are shorter
_WILDCARDS = ("*/*", "application/*")


@dataclass(frozen=True, slots=True)
class _Range:
    media_type: str
    quality: float
    is_for_subscriptions: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client takes: the type of a single answer, that of a stream; None for neither."""

    media_type: str | None
    stream: str | None


def wish_of(accept: str | None) -> Wish:
    """Return what the Accept header asks for."""
    is_usual = accept is None or len(accept) <= _LONGEST_KNOWN
    return _known_wish(accept) if is_usual else _new_wish(accept)


def _new_wish(accept: str | None) -> Wish:
    return Wish(choose(accept), choose_stream(accept))


_known_wish = lru_cache(maxsize=256)(_new_wish)


def choose(accept: str | None) -> str | None:
    """Return the media type for a single JSON answer; None when the client takes neither.

    Types that this server does not write, such as those of event streams, are passed over.
    """
    if not accept or not accept.strip():
        return LEGACY
    ranges = _ranges(accept)
    refused = {item.media_type for item in ranges if item.quality == 0}
    for item in ranges:
        if item.quality == 0:
            continue
        if item.media_type in (RESPONSE, LEGACY):
            return item.media_type
        if item.media_type in _WILDCARDS:
            return next((kind for kind in (LEGACY, RESPONSE) if kind not in refused), None)
    return None


def choose_stream(accept: str | None) -> str | None:
    """Return the media type for answers that come one after another; None when none is named.

    multipart/mixed counts only with Apollo's `subscriptionSpec`: others mean other protocols by it.
    """
    for item in _ranges(accept or ""):
        if item.quality == 0:
            continue
        if item.media_type == SSE or (item.media_type == MULTIPART and item.is_for_subscriptions):
            return item.media_type
    return None


def prefers_html(accept: str | None) -> bool:
    """Whether a person's browser asks: HTML is named, and before either JSON type."""
    for item in _ranges(accept or ""):
        if item.media_type in (RESPONSE, LEGACY):
            return False
        if item.media_type == HTML and item.quality > 0:
            return True
    return False


def is_json(content_type: str) -> bool:
    """Whether a request body says that it is JSON in UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [value.strip('" ') for name, _, value in map(_pair, parameters) if name == "charset"]
    return media_type == LEGACY and all(charset in ("utf-8", "utf8") for charset in charsets)


def _ranges(accept: str) -> list[_Range]:
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    return sorted(ranges, key=lambda item: -item.quality)


def _range(part: str) -> _Range:
    media_type, *parameters = part.split(";")
    named = {name: value.strip('"') for name, _, value in map(_pair, parameters)}
    quality = _quality(named["q"]) if "q" in named else 1.0
    is_for_subscriptions = named.get("subscriptionspec") == _SUBSCRIPTION_SPEC
    return _Range(media_type.strip().lower(), quality, is_for_subscriptions)


def _pair(parameter: str) -> tuple[str, str, str]:
    name, equals, value = parameter.partition("=")
    return name.strip().lower(), equals, value.strip()


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
