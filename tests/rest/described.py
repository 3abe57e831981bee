"""Holds answers of the REST edge to what the OpenAPI document says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpx2
import jsonschema_rs

from promptpilot.rest.openapi import document


async def check_answer(response: httpx2.Response) -> None:
    """Fail when an answer is none that the document has for its address and status."""
    request = response.request
    if request.url.path == "/graphql":
        return
    content = described(request.method, unquote(request.url.path), response.status_code)
    body = await response.aread()
    if not content:
        assert body == b"" or request.method == "HEAD"
        return
    sent = response.headers["content-type"].partition(";")[0]
    if sent != "application/json" or "application/octet-stream" in content:
        assert sent in content or response.status_code == 206
        return
    if request.method != "HEAD":
        _validator(repr(content[sent]["schema"])).validate(response.json())


def described(method: str, path: str, status: int) -> dict[str, Any]:
    """Return the contents by media type that the document has for an answer; none is empty.

    An address that is not described answers with a problem.
    """
    responses = _problems()
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path):
            operation = operations.get("get" if method == "HEAD" else method.lower())
            responses = operation["responses"] if operation else _problems()
            break
    answer = responses[str(status)]
    if "$ref" in answer:
        answer = document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content: dict[str, Any] = answer.get("content", {})
    return content


def _problems() -> dict[str, Any]:
    """Return what is answered where nothing is described."""
    found = document()["components"]["responses"]
    return {status: found[status] for status in ("404", "405")}


@cache
def _validator(schema: str) -> Any:
    """Return what checks a schema of the document, in which nothing may be left unsaid."""
    components = deepcopy(document()["components"])
    for each in _schemas(components["schemas"]):
        if "properties" in each:
            each["additionalProperties"] = False
    names = re.findall(r"schemas/(\w+)", schema)
    found = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    wanted = {"anyOf": found} if found else {}
    return jsonschema_rs.Draft202012Validator({**wanted, "components": components})


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from _schemas(each)
    elif isinstance(node, list):
        for each in node:
            yield from _schemas(each)
