"""The messages of graphql-transport-ws that a client sends, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from promptpilot.front.encoding import NotJson, loads
from promptpilot.front.request import GraphQLRequest, Malformed, read_request


class BadMessage(Exception):
    """The client breaks the protocol; the text becomes the reason of close code 4400."""


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The client introduces itself."""

    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants a pong with the same payload; None when it sent none."""

    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """A sign of life; needs no answer."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client starts an operation of any kind."""

    id: str
    request: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Complete:
    """The client stops an operation."""

    id: str


ClientMessage: TypeAlias = ConnectionInit | Ping | Pong | Subscribe | Complete


def read_message(text: str, max_depth: int) -> ClientMessage:
    """Return the message in `text`; raise BadMessage on everything that is none."""
    try:
        message = loads(text, max_depth)
    except NotJson:
        raise BadMessage("A message must be JSON.") from None
    if not isinstance(message, dict):
        raise BadMessage("A message must be a JSON object.")
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _READERS:
        raise BadMessage("A message needs a type that the protocol knows.")
    return _READERS[kind](message)


def _read_init(message: Mapping[str, Any]) -> ConnectionInit:
    return ConnectionInit(_payload(message) or {})


def _read_ping(message: Mapping[str, Any]) -> Ping:
    return Ping(_payload(message))


def _read_pong(message: Mapping[str, Any]) -> Pong:
    _payload(message)
    return Pong()


def _read_subscribe(message: Mapping[str, Any]) -> Subscribe:
    operation_id = _id(message)
    try:
        return Subscribe(operation_id, read_request(message.get("payload")))
    except Malformed as error:
        raise BadMessage(str(error)) from None


def _read_complete(message: Mapping[str, Any]) -> Complete:
    return Complete(_id(message))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], ClientMessage]] = {
    "connection_init": _read_init,
    "ping": _read_ping,
    "pong": _read_pong,
    "subscribe": _read_subscribe,
    "complete": _read_complete,
}


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise BadMessage("A payload must be an object.")
    return payload


def _id(message: Mapping[str, Any]) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not operation_id:
        raise BadMessage("An id must be text that is not empty.")
    return operation_id
