"""Serves the explorer: one page without any outside resource, under a strict content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from starlette.responses import Response

_BLOCK = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def page() -> Response:
    """Return the explorer for a browser."""
    text = _text()
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _policy(text),
        "cache-control": "no-cache",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
    return Response(text, headers=headers)


@cache
def _text() -> str:
    return resources.files("promptpilot.front").joinpath("graphiql.html").read_text("utf-8")


@cache
def _policy(text: str) -> str:
    hashes = {kind: _hash(body) for kind, body in _BLOCK.findall(text)}
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{hashes['script']}'",
            f"style-src '{hashes['style']}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(body: str) -> str:
    digest = hashlib.sha256(body.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
