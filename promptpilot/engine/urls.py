"""Renders the address of a request so that a value cannot lead it elsewhere.

Rules: a value is percent-encoded, so that it adds no path, query, port or host. Only a value at the
very beginning is taken as it is: it is the address, or its first part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from promptpilot.engine.template import parse_template
from promptpilot.errors import StepFailed

_IN_HOST: Final = re.compile(r"[A-Za-z]+://[^/?#\\]*")
_LABEL_STARTS: Final = ("//", ".")
_DOTS: Final = frozenset({".", ".."})


def render_url(text: str, scope: Mapping[str, Any], now: datetime | None = None) -> str:
    """Render the template of an address.

    Raises `StepFailed` REQUEST_INVALID for a path that goes back up, and what templates raise.
    """
    url = ""
    for is_value, piece in parse_template(text.strip()).pieces(scope, now):
        url += _encoded(piece, url) if is_value and url else piece
    path = re.split(r"[?#]", url, maxsplit=1)[0]
    if not _DOTS.isdisjoint(map(unquote, path.split("/"))):
        message = "The path of the URL has the segment '.' or '..'; write the path without it."
        raise StepFailed(message, "REQUEST_INVALID")
    return url


def _encoded(value: str, url: str) -> str:
    encoded = quote(value, safe="", errors="replace")
    if _IN_HOST.fullmatch(url) and not url.endswith(_LABEL_STARTS):
        # A dot that follows a part of a name would make that part belong to another domain.
        return encoded.replace(".", "%2E")
    return encoded
