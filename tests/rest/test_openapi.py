"""The OpenAPI document is fresh, whole, and describes every address there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from starlette.routing import Route

from promptpilot.rest.health import Health
from promptpilot.rest.openapi import document, print_document
from promptpilot.rest.routes import rest_routes
from tests.rest.conftest import Site

STORED = Path(__file__).parents[2] / "docs" / "openapi.json"


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = document()["paths"]
    return [(path, verb, each) for path, verbs in paths.items() for verb, each in verbs.items()]


def test_the_document_in_the_documentation_is_fresh() -> None:
    assert STORED.read_text("utf-8") == print_document(), "run `make schema`"


async def test_the_document_is_served_to_everybody(site: Site) -> None:
    response = await site.client.get("/api/openapi.json")

    assert response.json() == json.loads(print_document())


async def test_every_route_is_described_and_every_description_has_a_route(site: Site) -> None:
    routes = rest_routes(site.engine, Health(site.backbone.database, _nothing, _nothing))

    served = {
        (each.path, method.lower())
        for each in routes
        if isinstance(each, Route)
        for method in (each.methods or set()) - {"HEAD"}
    }

    assert served == {(path, verb) for path, verb, _ in _operations()}


def test_every_operation_has_a_name_of_its_own_and_a_summary() -> None:
    operations = [each for _, _, each in _operations()]

    names = [each["operationId"] for each in operations]

    assert len(names) == len(set(names))
    assert all(each["summary"] for each in operations)


def test_every_reference_leads_somewhere() -> None:
    text = print_document()

    for place in re.findall(r'"\$ref": "#/([^"]+)"', text):
        found = document()
        for part in place.split("/"):
            found = found[part]
        assert found is not None


def test_every_parameter_of_an_address_is_described() -> None:
    for path, _, each in _operations():
        parameters = [one["name"] for one in each.get("parameters", []) if one["in"] == "path"]
        assert parameters == re.findall(r"\{(\w+)\}", path)


def test_what_asks_who_calls_may_answer_that_it_is_not_proved() -> None:
    for _, _, each in _operations():
        assert ("401" in each["responses"]) == bool(each["security"])


async def _nothing() -> list[str]:
    return []
