"""Proves, by walking the operations, that over REST another's id is like one of nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx2

from promptpilot import ids
from promptpilot.clock import SystemClock
from promptpilot.models import Execution
from promptpilot.rest.openapi import ALL
from promptpilot.rest.operation import Operation, Proof
from tests.rest.conftest import Site
from tests.support.people import make_principal
from tests.support.stored import dump_tables

#: The kind of id that each parameter of a path takes; a new one has to be named here.
_KINDS = {
    "trigger_id": ids.Kind.TRIGGER,
    "workflow_id": ids.Kind.WORKFLOW,
    "execution_id": ids.Kind.EXECUTION,
}
_PLACE = re.compile(r"{(\w+)}")
#: Who sends a signed call is asked for the signature of the very trigger, not for who they are.
_OWNED = [each for each in ALL if _PLACE.search(each.path) and Proof.TOKEN in each.proofs]
_VALUES = {"input": {"title": "A bug"}}


async def _theirs(site: Site) -> dict[ids.Kind, str]:
    """Return the owner's ids, that of an execution with an output among them."""
    started = await site.engine.start_execution(
        site.principal, site.workflow_id, {"payload": {"text": "canary"}}
    )
    now = SystemClock().now()
    await Execution.filter(id=started.execution_id).update(
        status="COMPLETED",
        output={"text": "canary"},
        started_at=now,
        finished_at=now,
        ready_at=None,
    )
    return {
        ids.Kind.TRIGGER: site.owner.trigger_id,
        ids.Kind.WORKFLOW: site.workflow_id,
        ids.Kind.EXECUTION: started.execution_id,
    }


def _path(operation: Operation[Any], given: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: given[place[1]], operation.path)


async def _told(site: Site, token: str, method: str, path: str) -> tuple[int, str]:
    headers = {"authorization": f"Bearer {token}"}
    body = _VALUES if method == "POST" else None
    answer: httpx2.Response = await site.client.request(method, path, headers=headers, json=body)
    return answer.status_code, answer.text


async def test_every_path_answers_anothers_id_like_one_of_nothing(site: Site) -> None:
    stranger = await make_principal("eve", SystemClock())
    _, token = await site.engine.create_access_token(stranger, "test")
    theirs, told = await _theirs(site), []

    for operation in _OWNED:
        real = {name: theirs[kind] for name, kind in _KINDS.items()} | {"path": "0"}
        unknown = {name: ids.new_id(kind) for name, kind in _KINDS.items()} | {"path": "0"}
        answers = []
        for given in (real, unknown):
            path = _path(operation, given)
            status, text = await _told(site, token, operation.method, path)
            for value in given.values():
                text = text.replace(value, "<id>") if len(value) > 1 else text
            answers.append((status, text))
        told += [] if answers[0] == answers[1] else [(operation.name, *answers)]

    assert told == []


async def test_a_stranger_changes_nothing_over_rest(site: Site) -> None:
    stranger = await make_principal("eve", SystemClock())
    _, token = await site.engine.create_access_token(stranger, "test")
    theirs = await _theirs(site)
    given = {name: theirs[kind] for name, kind in _KINDS.items()} | {"path": "0"}
    before = await _kept(site)

    for operation in _OWNED:
        path = _path(operation, given)
        status, text = await _told(site, token, operation.method, path)
        assert status >= 400
        assert "canary" not in text

    assert await _kept(site) == before
    assert await Execution.all().count() == 1


async def _kept(site: Site) -> dict[str, Any]:
    """Return what is stored, without when tokens were used and which calls were refused."""
    tables = await dump_tables(site.backbone.database)
    return {**tables, "access_tokens": [], "firings": []}
