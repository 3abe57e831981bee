"""Every type of trigger lives its whole life over HTTP: made, listed, fired, rotated, off, gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from promptpilot.models import Execution
from tests.rest.conftest import Site
from tests.rest.lives import (
    Life,
    Way,
    by_event,
    by_hand,
    by_key,
    by_signature,
    by_the_clock,
)


@dataclass(frozen=True)
class Kind:
    """A type of trigger: how it is made and fired, and what is particular about it."""

    type: str
    config: dict[str, Any]
    way: Way
    has_secret: bool = False
    fires_while_off: bool = False


_MAPPING = {"payload": "event.payload"}
_EVERY_MINUTE = {"cron": "* * * * *", "overlapPolicy": "ALLOW"}
KINDS = [
    Kind("MANUAL", {"manual": {}}, by_hand, fires_while_off=True),
    Kind("SCHEDULED", {"scheduled": _EVERY_MINUTE}, by_the_clock),
    Kind("WEBHOOK", {"webhook": {}}, by_signature, has_secret=True),
    Kind("API", {"api": {}}, by_key, has_secret=True),
    Kind("EVENT", {"event": {"eventType": "life.*", "inputMapping": _MAPPING}}, by_event),
]
EACH = pytest.mark.parametrize("kind", KINDS, ids=[kind.type for kind in KINDS])


async def _begin(site: Site, kind: Kind) -> Life:
    life = Life(site)
    await life.create(kind.config)
    return life


@EACH
async def test_a_trigger_is_made_and_listed(site: Site, kind: Kind) -> None:
    life = Life(site)

    made = await life.create(kind.config)

    assert (made["type"], made["isActive"], made["revision"]) == (kind.type, True, 1)
    assert (life.secret is not None) == kind.has_secret
    assert (made["nextRunAt"] is not None) == (kind.type == "SCHEDULED")
    assert await life.listed() == [{"id": life.trigger_id, "type": kind.type}]


@EACH
async def test_what_it_starts_can_be_inspected_on_both_ways(site: Site, kind: Kind) -> None:
    life = await _begin(site, kind)

    execution_id = await kind.way(life, life.secret)

    shown = await life.inspect()
    (firing,) = shown["firings"]["nodes"]
    assert (firing["outcome"], firing["execution"]) == ("STARTED", {"id": execution_id})
    assert (firing["verification"] is not None) == kind.has_secret
    assert (shown["stats"]["startedCount"], shown["stats"]["lastStatus"]) == (1, "PENDING")
    path = f"/api/executions/{execution_id}"
    read = (await site.client.get(path, headers=site.authorization)).json()
    assert read["metadata"]["triggerId"] == life.trigger_id
    assert read["metadata"]["triggerType"] == kind.type


@EACH
async def test_only_what_has_a_secret_gets_another_which_both_work_for_a_while(
    site: Site, kind: Kind
) -> None:
    life = await _begin(site, kind)

    rotated = await life.rotate()

    if not kind.has_secret:
        assert rotated["errors"] == [{"code": "INVALID_INPUT", "path": ["input", "id"]}]
        return
    started = [await kind.way(life, secret) for secret in (life.secret, rotated["secret"])]
    assert None not in started
    nodes = (await life.inspect())["firings"]["nodes"]
    used = {each["verification"]["usedPreviousSecret"] for each in nodes}
    assert used == {True, False}


@EACH
async def test_what_is_off_starts_nothing_but_by_hand_and_goes_on_when_it_is_on(
    site: Site, kind: Kind
) -> None:
    life = await _begin(site, kind)

    await life.switch(is_active=False)
    while_off = await kind.way(life, life.secret)
    await life.switch(is_active=True)
    while_on = await kind.way(life, life.secret)

    assert (while_off is not None) == kind.fires_while_off
    assert while_on is not None


@EACH
async def test_what_is_deleted_is_gone_and_leaves_its_executions(site: Site, kind: Kind) -> None:
    life = await _begin(site, kind)
    execution_id = await kind.way(life, life.secret)

    await life.delete()

    assert await kind.way(life, life.secret) is None
    assert (await life.inspect(), await life.listed()) == (None, [])
    assert (await Execution.get()).id == execution_id
