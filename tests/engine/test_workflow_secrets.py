"""Proves that saving a workflow stores the secrets of its steps sealed, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import structlog

from promptpilot.engine.definition import Step, UnknownOutcomePolicy, load
from promptpilot.engine.drafts import WorkflowChange
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import CallerError, InvalidInput
from promptpilot.models import StepSecret, Workflow, WorkflowStep
from promptpilot.models.database import Database
from tests.support.drafts import draft, transform
from tests.support.stored import dump, step_names, stored, version_of

SECRET = "s3cr3t-4711-value"
VALUE = ("input", "steps", "0", "config", "webhook", "headers", "0", "value")


def requesting(
    value: str | None = SECRET, *, name: str = "Authorization", is_secret: bool = True, id: str = ""
) -> Step:
    """Make a step with one header."""
    header = RequestHeader(name, value, is_secret=is_secret)
    return Step("notify", RequestConfig("https://a.example/", headers=(header,)), id=id)


async def secret_id_of(workflow: Workflow) -> str | None:
    """Return the id of the secret that the newest version names, as the step's row does."""
    config = load((await version_of(workflow)).definition).steps[0].config
    assert isinstance(config, RequestConfig)
    row = await WorkflowStep.get(workflow_id=workflow.id, name="notify")
    assert row.config["headers"][0]["secret_id"] == config.headers[0].secret_id
    return config.headers[0].secret_id


async def test_a_secret_is_stored_sealed_and_opens_for_its_workspace(
    workflows: Workflows, principal: Principal, step_secrets: SecretStore
) -> None:
    made = await workflows.create(principal, draft(requesting()))

    secret_id = await secret_id_of(made)
    assert secret_id is not None
    opened = step_secrets.open_for(principal.workspace_id)
    assert await opened.reveal([secret_id]) == {secret_id: SECRET}


async def test_a_secret_is_in_no_table_and_no_log(
    workflows: Workflows, principal: Principal, database: Database
) -> None:
    with structlog.testing.capture_logs() as logged:
        made = await workflows.create(principal, draft(requesting(f"Bearer {SECRET}")))
        change = WorkflowChange(id=made.id, steps=(requesting(SECRET), transform("b")))
        await workflows.update(principal, change)
        await workflows.duplicate(principal, made.id, None)

    assert SECRET not in await dump(database)
    assert SECRET not in repr(logged)
    assert await StepSecret.all().count() == 2


@pytest.mark.parametrize("others", [{"name": "Bad name!"}, {"value": f"{SECRET}\n"}])
async def test_a_secret_is_in_no_error(
    workflows: Workflows, principal: Principal, others: dict[str, Any]
) -> None:
    with pytest.raises(CallerError) as refused:
        await workflows.create(principal, draft(requesting(**others), requesting()))

    assert SECRET not in repr(refused.value)
    assert not await StepSecret.exists()


async def test_an_unchanged_secret_makes_no_version(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(requesting()))

    same = await workflows.update(principal, WorkflowChange(id=made.id, steps=(requesting(None),)))

    assert (same.revision, same.current_version_id) == (1, made.current_version_id)
    assert await StepSecret.all().count() == 1


async def test_another_change_keeps_the_secret(workflows: Workflows, principal: Principal) -> None:
    made = await workflows.create(principal, draft(requesting()))
    before = await secret_id_of(made)
    (step_id,) = await step_names(made)
    step = replace(requesting(None, id=step_id), continue_on_error=True)

    changed = await workflows.update(principal, WorkflowChange(id=made.id, steps=(step,)))

    assert (changed.revision, await secret_id_of(changed)) == (2, before)


async def test_a_new_value_makes_a_version_and_leaves_the_old_one_its_secret(
    workflows: Workflows, principal: Principal, step_secrets: SecretStore
) -> None:
    made = await workflows.create(principal, draft(requesting()))
    before = await secret_id_of(made)
    change = WorkflowChange(id=made.id, steps=(requesting("another"),))

    after = await secret_id_of(await workflows.update(principal, change))

    assert before is not None
    assert after is not None
    revealed = await step_secrets.open_for(principal.workspace_id).reveal([before, after])
    assert revealed == {before: SECRET, after: "another"}


async def test_a_secret_that_nobody_gave_is_asked_for(
    workflows: Workflows, principal: Principal
) -> None:
    with pytest.raises(InvalidInput, match="give its value") as refused:
        await workflows.create(principal, draft(requesting(None)))

    assert refused.value.path == VALUE


async def test_a_secret_that_is_to_be_shown_is_asked_for(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(requesting()))
    change = WorkflowChange(id=made.id, steps=(requesting(None, is_secret=False),))

    with pytest.raises(InvalidInput, match="needs a value") as refused:
        await workflows.update(principal, change)

    assert refused.value.path == VALUE


async def test_a_copy_shares_the_secret(workflows: Workflows, principal: Principal) -> None:
    made = await workflows.create(principal, draft(requesting()))

    copy = await workflows.duplicate(principal, made.id, "Copy")

    assert await secret_id_of(copy) == await secret_id_of(made)
    assert await StepSecret.all().count() == 1


async def test_a_change_that_is_refused_stores_no_secret(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(transform("a")))
    change = WorkflowChange(id=made.id, name="", steps=(requesting(),))

    with pytest.raises(CallerError):
        await workflows.update(principal, change)

    assert not await StepSecret.exists()


async def test_what_follows_an_unknown_outcome_is_stored_with_the_step(
    workflows: Workflows, principal: Principal
) -> None:
    step = replace(transform("a"), on_unknown_outcome=UnknownOutcomePolicy.FAIL)

    made = await workflows.create(principal, draft(step, transform("b")))

    rows = await WorkflowStep.filter(workflow_id=made.id).order_by("position")
    assert [row.on_unknown_outcome for row in rows] == ["FAIL", "RETRY"]
    assert load((await version_of(made)).definition).steps[0].on_unknown_outcome == "FAIL"


async def test_the_time_of_an_execution_is_part_of_the_version(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(execution_timeout_seconds=60))

    changed = await workflows.update(
        principal, WorkflowChange(id=made.id, execution_timeout_seconds=3600)
    )

    versions = [load((await version_of(each)).definition) for each in (made, changed)]
    assert [each.execution_timeout_seconds for each in versions] == [60, 3600]
    assert ((await stored(made)).execution_timeout_seconds, changed.revision) == (3600, 2)


@pytest.mark.parametrize(
    ("change", "seconds"), [({"name": "Other"}, 60), ({"execution_timeout_seconds": None}, None)]
)
async def test_the_time_of_an_execution_stays_until_it_is_cleared(
    workflows: Workflows, principal: Principal, change: dict[str, Any], seconds: int | None
) -> None:
    made = await workflows.create(principal, draft(execution_timeout_seconds=60))

    changed = await workflows.update(principal, WorkflowChange(id=made.id, **change))

    assert (await stored(made)).execution_timeout_seconds == seconds
    definition = load((await version_of(changed)).definition)
    assert definition.execution_timeout_seconds == seconds


async def test_a_copy_has_the_same_time(workflows: Workflows, principal: Principal) -> None:
    made = await workflows.create(principal, draft(execution_timeout_seconds=31_536_000))

    copy = await workflows.duplicate(principal, made.id, None)

    definition = load((await version_of(copy)).definition)
    assert definition.execution_timeout_seconds == 31_536_000
    assert (await stored(copy)).execution_timeout_seconds == 31_536_000


@pytest.mark.parametrize("seconds", [0, -1, 31_536_001])
async def test_a_time_out_of_range_is_refused(
    workflows: Workflows, principal: Principal, seconds: int
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await workflows.create(principal, draft(execution_timeout_seconds=seconds))

    assert refused.value.path == ("input", "executionTimeoutSeconds")
    assert not await Workflow.exists()
