"""Checks the request of a WEBHOOK step as far as it is known before its templates are filled in.

What only the rendered address can tell (where it leads, whether that may be dialled) is checked
when the request is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from promptpilot.engine.egress.messages import is_reserved
from promptpilot.engine.expression import ExpressionSyntaxError
from promptpilot.engine.fault import Fault
from promptpilot.engine.request_headers import header_fault
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.engine.template import Template, parse_template

MAX_URL = 8_192
MAX_HEADERS = 50
MAX_BODY_DEPTH = 32
_PLACE = ("config", "webhook")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#\\]")
_SPACES = re.compile(r"[\x00-\x20\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")

Path = tuple[str, ...]


def check_request(config: RequestConfig) -> Iterator[Fault]:
    """Yield the faults of a WEBHOOK step; texts that are no templates are found by others."""
    yield from _check_url(config.url)
    if len(config.headers) > MAX_HEADERS:
        message = f"A request has at most {MAX_HEADERS} headers of yours."
        yield Fault("TOO_MANY_HEADERS", message, (*_PLACE, "headers"))
    seen: set[str] = set()
    for position, header in enumerate(config.headers):
        path = (*_PLACE, "headers", str(position))
        yield from _check_name(header.name, seen, (*path, "name"))
        yield from _check_value(header, (*path, "value"))
        seen.add(header.name.lower())
    deep = _too_deep(config.body)
    if deep is not None:
        message = f"The body is nested deeper than {MAX_BODY_DEPTH} levels; make it flatter."
        yield Fault("TOO_DEEP", message, (*_PLACE, "body", *deep))


def _check_url(url: str) -> Iterator[Fault]:
    path = (*_PLACE, "url")
    if not url.strip():
        yield Fault("REQUIRED", "Give the address of the request.", path)
    elif len(url) > MAX_URL:
        message = f"url has {len(url)} characters; {MAX_URL} are allowed."
        yield Fault("OUT_OF_RANGE", message, path)
    else:
        template = _parsed(url)
        fault = _url_fault(template) if template else None
        if fault is not None:
            yield Fault("INVALID_URL", fault, path)


def _url_fault(template: Template) -> str | None:
    """Say what is wrong with the part of an address that no placeholder can change."""
    known = template.leading_text
    if not known:
        return None
    scheme = _SCHEME.match(known)
    if scheme is None:
        return "url must begin with https:// or http://, or with a placeholder for all of it."
    if _SPACES.search(known):
        return "url must have no spaces and no control characters; write %20 for a space."
    rest = known[scheme.end() :]
    end = _AUTHORITY_END.search(rest)
    authority = rest[: end.start()] if end else rest
    if "@" in authority:
        return "url must name no user and no password; send them in a secret header."
    has_whole_authority = end is not None or template.is_literal
    if has_whole_authority and not authority.split(":")[0]:
        return "url must name a host, as in https://example.com/path."
    return None


def _check_name(name: str, seen: set[str], path: Path) -> Iterator[Fault]:
    if not _TOKEN.fullmatch(name):
        message = f"{name!r} is not the name of a header: use letters, digits and -."
        yield Fault("INVALID_NAME", message, path)
    elif is_reserved(name):
        message = f"The header {name!r} is set by the server itself; leave it out."
        yield Fault("RESERVED_HEADER", message, path)
    elif name.lower() in seen:
        message = f"The header {name!r} is there twice; give each name once."
        yield Fault("NOT_UNIQUE", message, path)


def _check_value(header: RequestHeader, path: Path) -> Iterator[Fault]:
    if header.value is None:
        if not header.is_secret:
            yield Fault("REQUIRED", f"Give a value for the header {header.name!r}.", path)
        return
    template = None if header.is_secret else _parsed(header.value)
    is_literal = header.is_secret or (template is not None and template.is_literal)
    fault = header_fault(header.value) if is_literal else None
    if fault is not None:
        yield Fault("INVALID_HEADER", f"The value of the header {header.name!r} {fault}.", path)


def _parsed(text: str) -> Template | None:
    try:
        return parse_template(text)
    except ExpressionSyntaxError:
        return None


def _too_deep(body: Any) -> Path | None:
    """Return the path to a value that is nested too deep."""
    stack: list[tuple[Path, Any]] = [((), body)]
    while stack:
        path, item = stack.pop()
        if len(path) >= MAX_BODY_DEPTH and isinstance(item, dict | list):
            return path
        entries = item.items() if isinstance(item, dict) else _numbered(item)
        stack.extend(((*path, key), value) for key, value in entries)
    return None


def _numbered(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, list):
        yield from ((str(position), value) for position, value in enumerate(item))
