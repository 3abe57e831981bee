"""Listens to a subscription for as long as there is something to hear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2

_QUIET_SECONDS = 0.25
_DATA = "data: "


def heard(http: httpx2.Client, document: str) -> Iterator[Any]:
    """Yield the results that come over SSE until the end, or until nothing comes any more.

    Yields the one answer when the subscription is refused.
    """
    body = json.dumps({"query": document}).encode()
    headers = {"accept": "text/event-stream"}
    timeout = httpx2.Timeout(30, read=_QUIET_SECONDS)
    try:
        with http.stream(
            "POST", "/graphql", content=body, headers=headers, timeout=timeout
        ) as answer:
            for line in answer.iter_lines():
                if line.startswith(_DATA) and line != _DATA:
                    yield json.loads(line.removeprefix(_DATA))
    except httpx2.ReadTimeout:
        return
