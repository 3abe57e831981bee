"""The GraphQL request of a body, a query string or a subscribe message, checked for its types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class Malformed(Exception):
    """The value is JSON but no GraphQL request; the message says what to change."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One request as the client sent it."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None


def read_request(value: Any) -> GraphQLRequest:
    """Return the request in `value`; raise Malformed where a member is missing or mistyped."""
    if isinstance(value, list):
        raise Malformed("Batches are not accepted; send one request at a time.")
    if not isinstance(value, Mapping):
        raise Malformed("The request must be a JSON object.")
    query = _member(value, "query", str, "a string")
    if query is None:
        raise Malformed("The request has no 'query'.")
    return GraphQLRequest(
        query,
        _member(value, "operationName", str, "a string") or None,
        _member(value, "variables", dict, "an object"),
        _member(value, "extensions", dict, "an object"),
    )


def _member(value: Mapping[str, Any], name: str, kind: type[T], article: str) -> T | None:
    found = value.get(name)
    if found is None or isinstance(found, kind):
        return found
    raise Malformed(f"'{name}' must be {article}.")
