"""What the REST edge says about one of its addresses: who may call it, with what, for what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Literal, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")
Handler: TypeAlias = Callable[[Request, T], Awaitable[Response]]


class Proof(StrEnum):
    """How a caller may show who it is."""

    TOKEN = "token"  # noqa: S105 -- the name of a way, no token
    KEY = "key"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Content:
    """What an answer or a request holds; `shapes` are names of schemas, any of which it may have.

    Without shapes it is any JSON, or text.
    """

    description: str
    shapes: tuple[str, ...] = ()
    media_type: str | None = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[T]):
    """One method at one address. `handler` is given the request and what answers it.

    `proofs` are the ways to show who calls, one of which is enough; none stands for everybody.
    `refusals` are the statuses of its errors besides those that all operations have.
    """

    method: Literal["GET", "POST"]
    path: str
    name: str
    summary: str
    handler: Handler[T]
    answers: Mapping[int, Content]
    description: str = ""
    proofs: tuple[Proof, ...] = ()
    headers: tuple[str, ...] = ()
    body: Content | None = None
    needs_body: bool = True
    refusals: frozenset[int] = field(default_factory=frozenset)
