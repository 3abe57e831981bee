"""Makes the OpenAPI document of the REST edge out of its table, and serves it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

import promptpilot
from promptpilot.engine.api import Engine
from promptpilot.rest.operation import Content, Operation, Proof
from promptpilot.rest.operations import OPERATIONS, PROBES
from promptpilot.rest.shapes import SHAPES

Document = dict[str, Any]

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ABOUT_PARAMETERS: Final = {
    "trigger_id": "The trigger.",
    "workflow_id": "The workflow.",
    "execution_id": "The execution.",
    "path": "The position of the step in the execution, from 0.",
}
_ABOUT_HEADERS: Final = {
    "Idempotency-Key": (
        "The same key with the same request within 24 hours: the first answer's execution, and"
        " nothing starts. With another request: 409."
    ),
    "Last-Event-ID": "The id of the last event that was seen.",
    "Range": "Only this part, as `bytes=<from>-<to>`.",
    "If-Range": "Only if the ETag is still this one.",
    "If-None-Match": "Only if the ETag is another one.",
}
_ABOUT_REFUSALS: Final = {
    400: "The request is not as it must be; `details` say where.",
    401: "Who calls is not proved.",
    403: "The trigger or its workflow is switched off.",
    404: "There is no such object, or the caller may not see it.",
    405: "The address takes another method.",
    409: "The key came before with another request, or the workflow is switched off.",
    413: "The body is too large.",
    416: "The range is behind the end.",
    429: "Too many are open at once; Retry-After says when to come back.",
    500: "A fault of the server; the message has the reference of its log line.",
    503: "The database does not answer; nothing was stored.",
}
#: What every operation with an engine may answer.
_ALWAYS: Final = frozenset({405, 500, 503})
_PROOFS: Final[dict[str, Document]] = {
    Proof.TOKEN.value: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token or the token of a session.",
    },
    Proof.KEY.value: {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The key of an API trigger, shown when it was made or rotated.",
    },
    Proof.SIGNATURE.value: {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "The signature by the trigger's scheme; the name depends on the scheme.",
    },
}


async def describe(request: Request, engine: Engine) -> Response:
    """Answer 200 with the document."""
    return Response(print_document(), media_type="application/json")


#: What needs the engine, with the description of it all.
ALL: Final[tuple[Operation[Engine], ...]] = (
    *OPERATIONS,
    Operation(
        method="GET",
        path="/api/openapi.json",
        name="describe",
        summary="Read this document.",
        handler=describe,
        answers={200: Content("An OpenAPI document.")},
    ),
)


@cache
def print_document() -> str:
    """Return the document as text, as it is kept in docs/openapi.json."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"


def document() -> Document:
    """Return the OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PromptPilot",
            "version": promptpilot.__version__,
            "description": (
                "REST beside GraphQL: calls of triggers, starts by plain HTTP, events, and what"
                " came of them. Everything else is in the GraphQL API at /graphql."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": _paths([*ALL, *PROBES]),
        "components": {
            "securitySchemes": _PROOFS,
            "responses": {str(status): _refusal(text) for status, text in _ABOUT_REFUSALS.items()},
            "schemas": dict(SHAPES),
        },
    }


def _paths(operations: Sequence[Operation[Any]]) -> Document:
    paths: Document = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return paths


def _operation(operation: Operation[Any]) -> Document:
    described: Document = {"operationId": operation.name, "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    parameters = [*map(_path_parameter, _PARAMETER.findall(operation.path))]
    parameters += map(_header_parameter, operation.headers)
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": operation.needs_body, **_content(operation.body)}
    described["responses"] = _responses(operation)
    described["security"] = [{proof.value: []} for proof in operation.proofs]
    return described


def _responses(operation: Operation[Any]) -> Document:
    responses = {str(status): _content(each) for status, each in operation.answers.items()}
    for status in sorted((operation.refusals | _ALWAYS) - set(operation.answers)):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return responses


def _content(content: Content) -> Document:
    described: Document = {"description": content.description}
    if content.media_type is not None:
        described["content"] = {content.media_type: {"schema": _schema(content.shapes)}}
    return described


def _schema(shapes: Sequence[str]) -> Document:
    found = [{"$ref": f"#/components/schemas/{name}"} for name in shapes]
    if len(found) > 1:
        return {"anyOf": found}
    return found[0] if found else {}


def _refusal(description: str) -> Document:
    return _content(Content(description, ("Problem",)))


def _path_parameter(name: str) -> Document:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _ABOUT_PARAMETERS[name],
        "schema": {"type": "string"},
    }


def _header_parameter(name: str) -> Document:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": _ABOUT_HEADERS[name],
        "schema": {"type": "string"},
    }
