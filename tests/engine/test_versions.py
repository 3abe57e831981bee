"""Proves that the definition of a version is read once and then kept."""

from __future__ import annotations

import pytest

from promptpilot.engine import versions
from promptpilot.engine.definition import Definition
from promptpilot.engine.versions import Versions
from promptpilot.errors import InvariantBroken
from promptpilot.models import WorkflowVersion
from tests.support.bench import Bench
from tests.support.drafts import transform


async def test_a_version_is_read_once(bench: Bench) -> None:
    definition = Definition((transform("a"),))
    target = await bench.target(definition)

    first = await bench.versions.get(target.version_id)
    await WorkflowVersion.filter(id=target.version_id).delete()

    assert first == definition
    assert await bench.versions.get(target.version_id) is first


async def test_a_version_that_does_not_exist_breaks_an_invariant(bench: Bench) -> None:
    with pytest.raises(InvariantBroken, match="wv_none"):
        await bench.versions.get("wv_none")


async def test_several_versions_are_read_at_once_without_those_that_are_not_there(
    bench: Bench,
) -> None:
    targets = [await bench.target(Definition((transform(name),))) for name in "ab"]
    wanted = [target.version_id for target in targets]
    await bench.versions.get(wanted[0])

    found = await bench.versions.get_many([*wanted, "wv_none"])

    assert set(found) == set(wanted)


async def test_the_version_used_longest_ago_is_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_MAX_KEPT", 2)
    few = Versions()
    ids = [(await bench.target(Definition((transform(n),)))).version_id for n in "abc"]
    for each in (ids[0], ids[1], ids[0], ids[2]):
        await few.get(each)

    await WorkflowVersion.all().delete()

    assert set(await few.get_many(ids)) == {ids[0], ids[2]}
