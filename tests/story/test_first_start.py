"""`promptpilot up` in an empty folder: one command shows the whole, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qsl

import httpx2
import psutil
import pytest

from tests.story.triage import WHOLE
from tests.support.caller import Caller, calling, free_port
from tests.support.installation import Installation, Process
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

#: What the first start tells: the example up to its question.
_TOLD = [*WHOLE[:-1], ("approve", "RUNNING"), ("approve", "WAITING")]
_LAST_LINE = "The same delivery again starts nothing and answers the same id."
_STATUS = "query ($id: ID!) { execution(id: $id) { status } }"
_END_SECONDS = 20


@dataclass
class Home:
    """A folder in which everything is started with one command."""

    installation: Installation
    port: int

    async def start(self) -> Process:
        """Start everything and wait until all has been told."""
        process = self.installation.start("up", PROMPTPILOT_PORT=str(self.port))
        await wait_until(lambda: _has_told_all(process), 30, process.tail)
        return process


async def _has_told_all(process: Process) -> bool:
    return bool(process.lines(_LAST_LINE))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Give an empty folder and a free port."""
    made = Installation(tmp_path, {})
    yield Home(made, free_port())
    made.remove()


async def test_the_first_start_tells_the_address_and_the_token_and_shows_the_example(
    home: Home,
) -> None:
    process = await home.start()

    told = process.log.read_text()
    places = [told.index(f"{who:<18} {status}") for who, status in _TOLD]
    assert f"http://127.0.0.1:{home.port}/graphql" in told
    assert _token(told)
    assert "The example runs once" in told
    assert places == sorted(places)


async def test_the_printed_call_starts_an_execution_that_the_printed_token_may_read(
    home: Home,
) -> None:
    told = (await home.start()).log.read_text()
    async with calling(home.port, _token(told)) as caller:
        answer = await _send(caller.http, _curl(told))
        execution_id = answer.json()["executionId"]
        await _until(caller, execution_id, "WAITING")

    assert answer.status_code == httpx2.codes.OK
    assert answer.json()["duplicate"] is False


async def test_the_printed_question_is_answered_by_the_printed_link(home: Home) -> None:
    told = (await home.start()).log.read_text()
    page = _page_of_the_question(told)
    async with calling(home.port, page["token"]) as caller:
        answer = await caller.ask(page["query"], **json.loads(page["variables"]))
        step = answer["submitDecision"]["stepExecution"]
        await _until(caller, step["execution"]["id"], "COMPLETED")
        again = await caller.ask(page["query"], **json.loads(page["variables"]))

    assert "Send this answer to example-mira?" in told
    assert step["stepName"] == "approve"
    assert (answer["submitDecision"]["errors"], again["submitDecision"]["errors"]) == ([], [])


async def test_it_ends_with_0_leaves_no_redis_and_does_not_repeat_the_example(home: Home) -> None:
    first = await home.start()
    children = psutil.Process(first.pid).children(recursive=True)
    names = [child.name() for child in children]
    first.send(signal.SIGTERM)
    code = await first.ended(within=_END_SECONDS)
    told = (await home.start()).log.read_text()

    assert code == 0
    assert names == ["redis-server"]
    assert not any(child.is_running() for child in children)
    assert "The example runs once" not in told
    assert _token(told) == _token(first.log.read_text())


async def _until(caller: Caller, execution_id: str, status: str) -> None:
    async def is_there() -> bool:
        found = await caller.ask(_STATUS, id=execution_id)
        return bool(found["execution"]["status"] == status)

    await wait_until(is_there, 20)


def _page_of_the_question(told: str) -> dict[str, str]:
    """Return what the explorer's page is filled with by the link of the question."""
    found = re.search(r"^http\S+/graphql#(\S+variables\S+)$", told, re.MULTILINE)
    assert found, told
    return dict(parse_qsl(found[1]))


def _token(told: str) -> str:
    found = re.search(r"Access token +(\S+)", told)
    assert found, told
    return found[1]


def _curl(told: str) -> list[str]:
    """Return the words of the printed command."""
    found = re.search(r"^curl (?:.*\\\n)+.*$", told, re.MULTILINE)
    assert found, told
    return shlex.split(found[0])


async def _send(http: httpx2.AsyncClient, words: list[str]) -> httpx2.Response:
    """Do what curl would do with these words."""
    options = dict(pairwise(words))
    url = next(word for word in words if word.startswith("http://"))
    headers = [words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H"]
    body = await asyncio.to_thread(Path(options["--data-binary"].removeprefix("@")).read_bytes)
    return await http.request(options["-X"], url, headers=dict(headers), content=body)
