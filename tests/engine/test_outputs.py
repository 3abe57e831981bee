"""Proves that whole outputs are found by their owners, in one query, and by nobody else."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.commits import Committer
from promptpilot.engine.outputs import WholeOutput, execution_output, step_output
from promptpilot.engine.previews import INLINE_BYTES
from promptpilot.engine.principal import Principal
from promptpilot.errors import NotFound
from promptpilot.models import LargeOutput
from promptpilot.models.columns import encode_json
from promptpilot.models.database import Database
from tests.support.finished import finished

SMALL = {"text": "größer", "n": 12345678901234567890, "x": 1.0}
LARGE = {"text": "größer🦉" * INLINE_BYTES, "last": [1, {"deep": True}]}

Find = Callable[[Database, Principal, str], Awaitable[WholeOutput]]


async def first_step(database: Database, principal: Principal, id: str) -> WholeOutput:
    """Find the output of the first step."""
    return await step_output(database, principal, id, "0")


BOTH = pytest.mark.parametrize("find", [execution_output, first_step])


@BOTH
@pytest.mark.parametrize("output", [SMALL, LARGE, {}], ids=["small", "large", "empty"])
async def test_an_output_is_found_as_it_was_stored(
    database: Database, committer: Committer, principal: Principal, output: Any, find: Find
) -> None:
    execution_id = await finished(committer, principal, output)

    found = await find(database, principal, execution_id)

    body = encode_json(output).encode()
    assert found == WholeOutput(body, hashlib.sha256(body).hexdigest())


@BOTH
async def test_a_stranger_finds_nothing(
    database: Database,
    committer: Committer,
    principal: Principal,
    stranger: Principal,
    find: Find,
) -> None:
    execution_id = await finished(committer, principal, LARGE)

    with pytest.raises(NotFound):
        await find(database, stranger, execution_id)


@BOTH
async def test_where_there_is_no_output_none_is_found(
    database: Database, committer: Committer, principal: Principal, find: Find
) -> None:
    execution_id = await finished(committer, principal, None)

    with pytest.raises(NotFound):
        await find(database, principal, execution_id)


@BOTH
async def test_a_preview_never_passes_for_the_output(
    database: Database, committer: Committer, principal: Principal, find: Find
) -> None:
    execution_id = await finished(committer, principal, LARGE)
    await LargeOutput.filter(execution_id=execution_id).delete()

    with pytest.raises(NotFound):
        await find(database, principal, execution_id)


@BOTH
@pytest.mark.parametrize(
    "id",
    ["", "\0", "ex_1", "wf_" + 26 * "0", "ex_" + 26 * "0", "ex_" + 26 * "0" + "-0", "ex_\ud800"],
)
async def test_ids_that_are_malformed_or_unknown_find_nothing(
    database: Database, principal: Principal, id: str, find: Find
) -> None:
    with pytest.raises(NotFound):
        await find(database, principal, id)


@pytest.mark.parametrize("path", ["", "$", "1", "00", "0 ", "\0", "0-0", "../output", 65 * "0"])
async def test_paths_without_an_output_find_nothing(
    database: Database, committer: Committer, principal: Principal, path: str
) -> None:
    execution_id = await finished(committer, principal, LARGE)

    with pytest.raises(NotFound):
        await step_output(database, principal, execution_id, path)


async def test_who_may_not_know_and_what_is_not_there_are_told_alike(
    database: Database, committer: Committer, principal: Principal, stranger: Principal
) -> None:
    known = await finished(committer, principal, SMALL)

    told = []
    for asked in (known, ids.new_id(ids.Kind.EXECUTION)):
        with pytest.raises(NotFound) as refused:
            await step_output(database, stranger, asked, "0")
        told.append(refused.value.message)

    assert told[0] == told[1]


async def test_another_role_opens_no_other_workspace(
    database: Database, committer: Committer, principal: Principal, stranger: Principal
) -> None:
    execution_id = await finished(committer, principal, SMALL)
    same_user = replace(stranger, user_id=principal.user_id)

    with pytest.raises(NotFound):
        await execution_output(database, same_user, execution_id)
