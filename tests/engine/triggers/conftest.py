"""What tests of triggers can ask for: a workflow and a trigger that starts it."""

from __future__ import annotations

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.definition import DataType
from promptpilot.engine.principal import Principal
from promptpilot.models import Trigger, Workflow
from tests.support.bench import Bench
from tests.support.drafts import draft, transform, variable
from tests.support.hooks import MAPPING, make_hook
from tests.support.scene import Scene
from tests.support.schedules import Clockwork


@pytest.fixture
async def workflow(engine: Engine, principal: Principal) -> Workflow:
    """Give a workflow that needs a `title` and takes a `count`."""
    inputs = (
        variable("title", is_required=True),
        variable("count", DataType.NUMBER),
        variable("payload", DataType.OBJECT),
    )
    return await engine.create_workflow(principal, draft(transform("a"), variables=inputs))


@pytest.fixture
async def hook(engine: Engine, principal: Principal, workflow: Workflow) -> Trigger:
    """Give a GITHUB trigger that takes the title out of the payload."""
    return await make_hook(engine, principal, workflow, input_mapping=MAPPING)


@pytest.fixture
async def clockwork(bench: Bench, engine: Engine, principal: Principal) -> Clockwork:
    """Give a workflow that takes a `title`, to be started by schedules."""
    step = transform("a", due="trigger.scheduledFor")
    asked = draft(step, variables=(variable("title"),))
    return Clockwork(bench, await engine.create_workflow(principal, asked))


@pytest.fixture
def scene(engine: Engine, principal: Principal, bench: Bench) -> Scene:
    """Give a scene in which executions end and triggers hear of it."""
    return Scene(engine, principal, bench)
