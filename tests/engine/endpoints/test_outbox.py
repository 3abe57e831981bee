"""Proves that every endpoint gets one delivery of each event that it wants, whatever happens."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.endpoints.drafts import EndpointChange
from promptpilot.engine.endpoints.kinds import WebhookEventType as Type
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.news import News
from promptpilot.models import Execution, PlatformEvent, WebhookDelivery
from tests.support.breaking import BreakingDatabase, Crash
from tests.support.drafts import transform
from tests.support.endpoints import Post, stored_types
from tests.support.scene import Scene
from tests.support.waits import deciding

ASK = replace(deciding(), id="")


async def test_an_end_is_stored_with_what_became_of_the_execution(scene: Scene, post: Post) -> None:
    await post.endpoint("/json")
    execution = await scene.play(transform("a", value="7"))

    await scene.new_news().tell()

    row = await WebhookDelivery.get()
    told = json.loads(row.body)
    assert (row.status, row.ready_at, row.event_type) == ("PENDING", post.clock.at, told["type"])
    assert (told["type"], told["timestamp"]) == ("execution.completed", "2026-09-01T12:00:30.000Z")
    assert told["data"]["executionId"] == execution.id
    assert (told["data"]["status"], told["data"]["error"]) == ("COMPLETED", None)
    assert told["data"]["output"] == execution.output


async def test_each_kind_of_event_is_stored(scene: Scene, post: Post) -> None:
    await post.endpoint("/json", *Type)
    asking = await scene.play(ASK)
    failed = await scene.play(transform("a", value="1 / 0"))
    await scene.new_news().tell()
    await scene.engine.cancel_execution(scene.principal, asking.id)
    await scene.new_news().tell()

    started = "execution.started"
    asked = [started, "execution.decision_required", "execution.cancelled"]
    assert await stored_types(asking) == asked
    assert await stored_types(failed) == [started, "execution.failed"]


async def test_a_question_is_told_with_its_choices(scene: Scene, post: Post) -> None:
    await post.endpoint("/json", Type.EXECUTION_DECISION_REQUIRED)
    await scene.play(ASK)

    await scene.new_news().tell()

    data = json.loads((await WebhookDelivery.get()).body)["data"]
    assert (data["question"], data["status"]) == ("Go on?", "WAITING")
    assert data["choices"] == ["approve", "reject"]


async def test_a_start_is_told_before_the_end_and_once(scene: Scene, post: Post) -> None:
    await post.endpoint("/json", Type.EXECUTION_STARTED)
    asking = await scene.play(ASK)
    await scene.new_news().tell()
    before = await stored_types(asking)
    await scene.engine.cancel_execution(scene.principal, asking.id)

    await scene.new_news().tell()

    assert before == await stored_types(asking) == ["execution.started"]


async def test_without_an_endpoint_a_start_is_no_news(scene: Scene, post: Post) -> None:
    await post.endpoint("/json")
    execution = await scene.start(transform("a"))
    await scene.bench.committer.claim("w", 1, 1000)

    row = await Execution.get(id=execution.id)

    assert (row.status, row.news_at) == ("RUNNING", None)


async def test_a_start_of_long_ago_is_told_to_nobody(scene: Scene, post: Post) -> None:
    execution = await scene.start(transform("a"))
    await scene.bench.committer.claim("w", 1, 1000)
    post.clock.move(minutes=2)
    await post.endpoint("/json", Type.EXECUTION_STARTED, Type.EXECUTION_COMPLETED)
    await scene.bench.finish(execution.id)

    await scene.new_news().tell()

    assert await stored_types(execution) == ["execution.completed"]


async def test_starts_are_not_told_to_triggers(scene: Scene, post: Post) -> None:
    await scene.listen("execution.*")
    await post.endpoint("/json", Type.EXECUTION_STARTED)
    await scene.play(transform("a"))

    await scene.new_news().tell()

    assert [row.type for row in await PlatformEvent.all()] == ["execution.completed"]


async def test_only_the_endpoints_that_want_it_are_told(
    scene: Scene, post: Post, stranger: Principal
) -> None:
    other = await scene.workflow(transform("a"))
    wanting, _ = await post.endpoint("/json")
    await post.endpoint("/json", Type.EXECUTION_FAILED)
    await post.endpoint("/json", workflow_ids=(other.id,))
    off, _ = await post.endpoint("/json")
    await post.verbs.update(scene.principal, EndpointChange(id=off.id, is_active=False))
    await replace(post, principal=stranger).endpoint("/json")

    await scene.play(transform("a"))
    await scene.new_news().tell()

    assert [row.endpoint_id for row in await WebhookDelivery.all()] == [wanting.id]


async def test_a_large_output_is_told_cut(scene: Scene, post: Post) -> None:
    await post.endpoint("/json")
    await scene.play(transform("a", **{f"v{n}": f'"{"x" * 4_000}"' for n in range(6)}))

    await scene.new_news().tell()

    row = await WebhookDelivery.get()
    assert json.loads(row.body)["data"]["isOutputCut"]
    assert len(row.body) < 20_000


@pytest.mark.parametrize("point", range(1, 8))
async def test_news_that_were_cut_off_are_stored_once(
    point: int, scene: Scene, post: Post, foundation: Foundation
) -> None:
    await post.endpoint("/json", *Type)
    execution = await scene.play(transform("a"))
    dying = BreakingDatabase(foundation.database, point)
    with suppress(Crash):
        await _news(assemble(replace(foundation, database=dying)), dying).tell()

    await scene.new_news().tell()

    assert await stored_types(execution) == ["execution.started", "execution.completed"]


async def test_telling_again_stores_nothing_twice(scene: Scene, post: Post) -> None:
    await post.endpoint("/json")
    execution = await scene.play(transform("a"))
    await scene.new_news().tell()
    await Execution.filter(id=execution.id).update(news_at=post.clock.at, told_seq=0)

    await scene.new_news().tell()

    assert await stored_types(execution) == ["execution.completed"]


def _news(engine: Engine, database: BreakingDatabase) -> News:
    return News(database, engine.parts.dispatcher, Outbox(engine.clock), engine.clock)
