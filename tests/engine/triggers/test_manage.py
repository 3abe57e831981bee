"""Proves that triggers are checked, versioned, the owner's alone, and that secrets stay secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import DataType
from promptpilot.engine.drafts import (
    ManualConfig,
    TriggerChange,
    TriggerConfig,
    TriggerDraft,
    WebhookConfig,
)
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.triggers.secrets import SealedSecrets, TriggerSecrets
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.engine.vault import Vault
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import CallerError, Conflict, InvalidInput, InvalidMany, NotFound, Required
from promptpilot.models import Trigger, Workflow
from tests.support.clock import ManualClock
from tests.support.drafts import draft, transform, variable

WEBHOOK = ("input", "config", "webhook")
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def workflow(workflows: Workflows, principal: Principal) -> Workflow:
    """Give a workflow with the inputs `title` and `count`."""
    inputs = (variable("title"), variable("count", DataType.NUMBER))
    return await workflows.create(principal, draft(transform("a"), variables=inputs))


def asked(workflow: Workflow, config: TriggerConfig | None = None, **others: Any) -> TriggerDraft:
    """Make the draft of a WEBHOOK trigger called "Hook"."""
    values = {"workflow_id": workflow.id, "name": "Hook", **others}
    return TriggerDraft(config=config or WebhookConfig(), **values)


def active(vault: Vault, row: Trigger, clock: ManualClock) -> list[str]:
    """Return the secrets that a stored trigger takes now."""
    sealed = SealedSecrets(
        row.workspace_id,
        row.id,
        row.secret_sealed,
        row.previous_secret_sealed,
        row.previous_secret_until,
    )
    return TriggerSecrets(vault).active(sealed, clock.now())


async def stored(row: Trigger) -> Trigger:
    return await Trigger.get(id=row.id)


@pytest.mark.parametrize("scheme", sorted(signatures.SCHEMES))
async def test_a_new_webhook_has_a_secret_that_is_told_once_and_stored_sealed(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    vault: Vault,
    clock: ManualClock,
    scheme: WebhookScheme,
) -> None:
    row, secret = await triggers.create(principal, asked(workflow, WebhookConfig(scheme=scheme)))

    kept = await stored(row)
    assert active(vault, kept, clock) == [secret]
    assert secret is not None
    assert secret not in f"{kept.secret_sealed} {kept.secret_preview} {kept.config}"


async def test_a_secret_that_is_given_is_kept_and_not_told_again(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    vault: Vault,
    clock: ManualClock,
) -> None:
    config = WebhookConfig(scheme=WebhookScheme.GITHUB, secret=SECRET)

    row, secret = await triggers.create(principal, asked(workflow, config))

    assert secret is None
    assert active(vault, await stored(row), clock) == [SECRET]


async def test_the_settings_are_stored(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    config = WebhookConfig(
        scheme=WebhookScheme.GITHUB,
        tolerance_seconds=60,
        input_mapping={"title": "payload.issue.title + headers.host"},
    )

    row, _ = await triggers.create(principal, asked(workflow, config, input={"count": 1}))

    kept = await stored(row)
    assert (kept.type, kept.input, kept.is_active, kept.revision) == ("WEBHOOK", {"count": 1}, 1, 1)
    assert kept.config == {
        "scheme": "GITHUB",
        "tolerance_seconds": 60,
        "input_mapping": {"title": "payload.issue.title + headers.host"},
    }


async def test_a_manual_trigger_has_no_secret(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, secret = await triggers.create(principal, asked(workflow, ManualConfig(button_label="Go")))

    assert (row.type, row.config, secret) == ("MANUAL", {"button_label": "Go"}, None)
    with pytest.raises(InvalidInput):
        await triggers.rotate_secret(principal, row.id, 60)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"scheme": WebhookScheme.API_KEY}, (*WEBHOOK, "scheme")),
        ({"secret": "no prefix"}, (*WEBHOOK, "secret")),
        ({"scheme": WebhookScheme.GITHUB, "secret": "short"}, (*WEBHOOK, "secret")),
        ({"tolerance_seconds": 0}, (*WEBHOOK, "toleranceSeconds")),
        ({"tolerance_seconds": 3601}, (*WEBHOOK, "toleranceSeconds")),
        ({"input_mapping": {"title": "payload."}}, (*WEBHOOK, "inputMapping", "title")),
        ({"input_mapping": {"title": "input.x"}}, (*WEBHOOK, "inputMapping", "title")),
        ({"input_mapping": {"title": 1}}, (*WEBHOOK, "inputMapping", "title")),
        ({"input_mapping": {"title": "\ud800"}}, (*WEBHOOK, "inputMapping", "title")),
        ({"input_mapping": {"other": "payload.x"}}, (*WEBHOOK, "inputMapping", "other")),
        ({"input_mapping": []}, (*WEBHOOK, "inputMapping")),
    ],
)
async def test_settings_that_cannot_be_are_refused_by_their_path(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    config: dict[str, Any],
    path: tuple[str, ...],
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await triggers.create(principal, asked(workflow, WebhookConfig(**config)))

    assert refused.value.path == path
    assert not await Trigger.exists()


@pytest.mark.parametrize(
    ("others", "path"),
    [
        ({"name": " "}, ("input", "name")),
        ({"input": {"other": 1}}, ("input", "input", "other")),
        ({"input": {"count": "many"}}, ("input", "input", "count")),
        ({"input": {"title": "nul\x00"}}, ("input", "input", "title")),
        ({"config": ManualConfig(button_label="")}, ("input", "config", "manual", "buttonLabel")),
    ],
)
async def test_fields_that_cannot_be_are_refused_by_their_path(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    others: dict[str, Any],
    path: tuple[str, ...],
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await triggers.create(principal, asked(workflow, **others))

    assert refused.value.path == path


async def test_all_faults_are_told_at_once(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    config = WebhookConfig(tolerance_seconds=0, input_mapping={"other": "nope"})

    with pytest.raises(InvalidMany) as refused:
        await triggers.create(principal, asked(workflow, config, name=""))

    assert len(refused.value.errors) == 4


async def test_a_change_touches_what_is_given_and_keeps_the_secret(
    triggers: Triggers,
    principal: Principal,
    workflow: Workflow,
    clock: ManualClock,
) -> None:
    row, _ = await triggers.create(principal, asked(workflow, input={"count": 1}))
    clock.move(seconds=1)
    change = TriggerChange(
        id=row.id, name="New", config=WebhookConfig(tolerance_seconds=9), is_active=False
    )

    _, secret = await triggers.update(principal, change)

    kept = await stored(row)
    assert (kept.name, kept.config["tolerance_seconds"], kept.is_active) == ("New", 9, False)
    assert (kept.revision, kept.updated_at, kept.input) == (2, clock.now(), {"count": 1})
    assert (secret, kept.secret_sealed) == (None, row.secret_sealed)


async def test_a_change_that_changes_nothing_leaves_the_revision(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))

    same, _ = await triggers.update(
        principal, TriggerChange(id=row.id, name="Hook", config=WebhookConfig(), input=None)
    )

    assert same.revision == 1


async def test_another_scheme_brings_a_secret_of_its_own(
    triggers: Triggers, principal: Principal, workflow: Workflow, vault: Vault, clock: ManualClock
) -> None:
    row, first = await triggers.create(principal, asked(workflow))

    config = WebhookConfig(scheme=WebhookScheme.GITHUB)
    _, second = await triggers.update(principal, TriggerChange(id=row.id, config=config))

    assert second not in {None, first}
    assert active(vault, await stored(row), clock) == [second]


async def test_a_secret_given_in_a_change_replaces_the_old_one_at_once(
    triggers: Triggers, principal: Principal, workflow: Workflow, vault: Vault, clock: ManualClock
) -> None:
    config = WebhookConfig(scheme=WebhookScheme.GITHUB, secret=SECRET)
    row, _ = await triggers.create(principal, asked(workflow, config))
    new = WebhookConfig(scheme=WebhookScheme.GITHUB, secret=SECRET[::-1])

    _, told = await triggers.update(principal, TriggerChange(id=row.id, config=new))

    assert told is None
    assert active(vault, await stored(row), clock) == [SECRET[::-1]]


async def test_a_webhook_that_becomes_manual_forgets_its_secret_and_the_way_back_makes_one(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))

    await triggers.update(principal, TriggerChange(id=row.id, config=ManualConfig()))
    kept = await stored(row)
    _, secret = await triggers.update(principal, TriggerChange(id=row.id, config=WebhookConfig()))

    assert (kept.type, kept.secret_sealed, kept.secret_preview) == ("MANUAL", None, None)
    assert secret is not None


async def test_switching_on_forgets_why_it_was_switched_off(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow, is_active=False))
    await Trigger.filter(id=row.id).update(paused_reason="failures", consecutive_failures=10)

    await triggers.update(principal, TriggerChange(id=row.id, is_active=True))

    kept = await stored(row)
    assert (kept.is_active, kept.paused_reason, kept.consecutive_failures) == (True, None, 0)


@pytest.mark.parametrize("cleared", [{"name": None}, {"config": None}, {"is_active": None}])
async def test_some_fields_cannot_be_cleared(
    triggers: Triggers, principal: Principal, workflow: Workflow, cleared: dict[str, Any]
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))

    with pytest.raises(Required):
        await triggers.update(principal, TriggerChange(id=row.id, **cleared))


async def test_another_revision_than_expected_is_a_conflict(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))

    with pytest.raises(Conflict) as refused:
        await triggers.update(principal, TriggerChange(id=row.id, expected_revision=2, name="New"))

    assert refused.value.current_revision == 1


async def test_after_a_rotation_the_old_secret_works_until_its_instant(
    triggers: Triggers, principal: Principal, workflow: Workflow, vault: Vault, clock: ManualClock
) -> None:
    row, first = await triggers.create(principal, asked(workflow))

    rotated, second = await triggers.rotate_secret(principal, row.id, 60)

    assert rotated.revision == 2
    assert active(vault, await stored(row), clock) == [second, first]
    clock.at += timedelta(seconds=60)
    assert active(vault, await stored(row), clock) == [second]


async def test_without_a_grace_the_old_secret_ends_at_once(
    triggers: Triggers, principal: Principal, workflow: Workflow, vault: Vault, clock: ManualClock
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))
    await triggers.rotate_secret(principal, row.id, 60)

    _, secret = await triggers.rotate_secret(principal, row.id, 0)

    assert active(vault, await stored(row), clock) == [secret]


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1])
async def test_the_grace_has_limits(
    triggers: Triggers, principal: Principal, workflow: Workflow, seconds: int
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))

    with pytest.raises(InvalidInput) as refused:
        await triggers.rotate_secret(principal, row.id, seconds)

    assert refused.value.path == ("input", "graceSeconds")


async def test_a_deleted_trigger_is_gone(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))

    assert await triggers.delete(principal, row.id) == row.id

    with pytest.raises(NotFound):
        await triggers.delete(principal, row.id)


@pytest.mark.parametrize("id", ["", "\x00", "trg_" + 26 * "0", None])
async def test_what_is_not_the_callers_is_not_found(
    triggers: Triggers,
    principal: Principal,
    stranger: Principal,
    workflow: Workflow,
    id: str | None,
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))
    wanted = row.id if id is None else id

    for verb in (
        triggers.update(stranger, TriggerChange(id=wanted, name="Mine")),
        triggers.rotate_secret(stranger, wanted, 60),
        triggers.delete(stranger, wanted),
    ):
        with pytest.raises(NotFound, match="There is no trigger with this id"):
            await verb
    assert (await stored(row)).revision == 1


async def test_a_trigger_for_anothers_workflow_is_refused(
    triggers: Triggers, stranger: Principal, workflow: Workflow
) -> None:
    with pytest.raises(CallerError) as refused:
        await triggers.create(stranger, asked(workflow))

    assert (refused.value.code, refused.value.path) == ("NOT_FOUND", ("input", "workflowId"))
