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
    """One request as the client sent it: with a document, with its name, or with both."""

    query: str | None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None
    document_id: str | None = None


def read_request(value: Any) -> GraphQLRequest:
    """Return the request in `value`; raise Malformed where a member is missing or mistyped."""
    if isinstance(value, list):
        raise Malformed("Batches are not accepted; send one request at a time.")
    if not isinstance(value, Mapping):
        raise Malformed("The request must be a JSON object.")
    request = GraphQLRequest(
        _member(value, "query", str, "a string"),
        _member(value, "operationName", str, "a string") or None,
        _member(value, "variables", dict, "an object"),
        _member(value, "extensions", dict, "an object"),
        _member(value, "documentId", str, "a string"),
    )
    if request.query is None and not _names_document(request):
        raise Malformed("The request has no 'query'.")
    return request


def _names_document(request: GraphQLRequest) -> bool:
    is_apollos = "persistedQuery" in (request.extensions or {})
    return request.document_id is not None or is_apollos


def _member(value: Mapping[str, Any], name: str, kind: type[T], article: str) -> T | None:
    found = value.get(name)
    if found is None or isinstance(found, kind):
        return found
    raise Malformed(f"'{name}' must be {article}.")
