"""Proves that the README's commands do what it shows, and that what they print can be used."""

from __future__ import annotations

import re

import httpx2
import pytest

from promptpilot.cli import app
from tests.docs.conftest import Started
from tests.docs.pages import Example, all_pages, examples, read
from tests.docs.reader import Reader
from tests.support.children import wait_until_ready

pytestmark = pytest.mark.xdist_group("docs")

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_LAST_LINE = "The same delivery again"


@pytest.fixture
def output(started: Started) -> str:
    """Give everything that the start of the server has printed."""
    log = started.output
    wait_until_ready(started.child, lambda: _LAST_LINE in log.read_text("utf-8"), log)
    return log.read_text("utf-8")


def test_make_run_starts_everything_in_one_process() -> None:
    recipes = dict(re.findall(r"^([a-z-]+):.*\n\t(.*)$", read("Makefile"), re.MULTILINE))

    assert recipes["run"].endswith("promptpilot up")
    assert "pytest" in recipes["test"]


def test_the_first_start_prints_what_the_readme_shows(output: str) -> None:
    shown = examples(read("README.md"), "console")[0].text.splitlines()[1:]
    lines = iter(_ADDRESS.sub("ADDRESS", line) for line in output.splitlines())

    missing = [each for each in shown if not any(_is_like(each, line) for line in lines)]

    assert missing == []


async def test_the_printed_token_and_query_show_the_execution(
    output: str, started: Started
) -> None:
    token = _found(r"^Access token +(pp_\S+)$", output)
    query = _found(r"^(query \w+ \{\n.*?^\})$", output)
    body, headers = {"query": query}, {"authorization": f"Bearer {token}"}

    async with httpx2.AsyncClient(base_url=started.url) as client:
        answer = (await client.post("/graphql", json=body, headers=headers)).json()

    statuses = [each["status"] for each in answer["data"]["executions"]["nodes"]]
    assert statuses == ["WAITING"]


async def test_the_printed_delivery_starts_one_execution_however_often_it_is_sent(
    output: str, started: Started
) -> None:
    command = _found(r"^(curl .*?--data-binary \S+)$", output)
    reader = Reader(started.url)

    for _ in range(2):
        await reader.follow(Example("curl", command))

    first, second = reader.answers
    assert first["executionId"] == second["executionId"]
    assert (first["duplicate"], second["duplicate"]) == (False, True)


def test_every_command_on_a_page_exists() -> None:
    known = {
        each.name or each.callback.__name__ for each in app.registered_commands if each.callback
    }

    pages = "\n".join(page.read_text("utf-8") for page in all_pages())
    named = set(re.findall(r"`promptpilot ([a-z]+)`", pages))

    assert named <= known
    assert named >= {"up", "serve", "worker", "scheduler", "migrate", "doctor"}


def _is_like(shown: str, line: str) -> bool:
    """Whether a line is as it is shown; `…` stands for anything."""
    parts = _ADDRESS.sub("ADDRESS", shown.rstrip()).split("…")
    return re.fullmatch(".*".join(map(re.escape, parts)), line.rstrip()) is not None


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    assert match is not None, text
    return match[1]
