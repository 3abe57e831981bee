"""What the REST edge reads of a request besides its body and its token."""

from __future__ import annotations

from starlette.requests import Request


def all_headers(request: Request) -> dict[str, str]:
    """Return the headers by their names in lower case; what came twice is one list, as in HTTP."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def source_ip(request: Request) -> str | None:
    """Return the address that the request came from, if it is known."""
    return request.client.host if request.client else None


def idempotency_key(request: Request) -> str | None:
    """Return the key under which the caller wants something done once."""
    return request.headers.get("idempotency-key")
