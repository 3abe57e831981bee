"""Proves that a browser gets an explorer that needs nothing from outside and trusts nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from promptpilot.front.documents import Documents
from promptpilot.front.graphiql import page
from promptpilot.front.limits import Limits
from promptpilot.front.negotiation import RESPONSE
from tests.front.endpoint import Front
from tests.front.sample import schema
from tests.support.node import run_node

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
OPERATIONS = {
    "{ a }": [["query", ""]],
    "# query X\n{ a }": [["query", ""]],
    "query A { a } fragment F on T { subscription }": [["query", "A"]],
    'mutation M($a: T = "query B {") { a(x: {y: 1}) }': [["mutation", "M"]],
    "query A { a } subscription B { b { query } }": [["query", "A"], ["subscription", "B"]],
    'query A { a(x: """ } subscription """) }': [["query", "A"]],
}


def _page() -> str:
    return bytes(page().body).decode()


def _script() -> str:
    return _page().partition("<script>")[2].partition("</script>")[0]


async def test_a_browser_gets_the_explorer(front: Front) -> None:
    response = await front.send("GET", BROWSER)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>GraphQL explorer</title>" in response.text


@pytest.mark.parametrize("accept", [RESPONSE, "*/*", None])
async def test_programs_get_no_page(front: Front, accept: str | None) -> None:
    response = await front.send("GET", accept)

    assert response.json()["errors"][0]["message"] == "The request has no 'query'."


async def test_the_policy_allows_the_pages_own_script_and_style_alone(front: Front) -> None:
    response = await front.send("GET", BROWSER)

    policy = response.headers["content-security-policy"]
    digest = hashlib.sha256(_script().encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_the_page_names_no_other_host_and_no_inline_handler() -> None:
    assert not re.findall(r"https?://|//[a-z]+\.|\sstyle=|\son[a-z]+=\"|innerHTML", _page())


def test_the_pages_introspection_is_within_the_limits() -> None:
    script = _script()
    kinds = re.findall(r'const TYPE = "(.*)";', script)[0]
    query = re.findall(r"const INTROSPECTION = `(.*?)`;", script, re.DOTALL)[0]

    prepared = Documents(schema, Limits()).get(query.replace("${TYPE}", kinds))

    assert list(prepared.operations) == ["Schema"]


def test_the_script_parses(tmp_path: Path) -> None:
    script = tmp_path / "explorer.js"
    script.write_text(_script())

    written = run_node("--check", script)

    assert written == ""


def test_the_script_finds_the_operations_of_a_document() -> None:
    script = _script()
    function = re.findall(r"function operations\(.*?\n}\n", script, re.DOTALL)[0]
    program = (
        f"{function} const texts = {json.dumps(list(OPERATIONS))};"
        "console.log(JSON.stringify(texts.map(t => operations(t).map(o => [o.kind, o.name]))))"
    )

    found = run_node("-e", program)

    assert json.loads(found) == list(OPERATIONS.values())
