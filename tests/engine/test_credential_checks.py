"""Proves that a workflow cannot be saved with a credential that it cannot use."""

from __future__ import annotations

import pytest

from promptpilot import ids
from promptpilot.engine.credentials import Credentials
from promptpilot.engine.definition import Step
from promptpilot.engine.gathering import each
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig
from promptpilot.engine.vault import Vault
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import CallerError, CredentialUnavailable, InvalidMany, NotFound
from promptpilot.models import Credential, Workflow
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.credentials import draft as credential
from tests.support.credentials import verbs
from tests.support.drafts import draft


@pytest.fixture
def credentials(database: Database, vault: Vault, clock: ManualClock) -> Credentials:
    """Give the verbs of credentials."""
    return verbs(database, vault, clock)


def step(*credential_ids: str, provider: ModelProvider = ModelProvider.OPENAI) -> Step:
    """Make a step that asks one model with each of the credentials."""
    models = [ModelTarget(provider, "m", credential_id=each) for each in credential_ids]
    return Step("ask", PromptConfig(tuple(models), "Hello."))


async def refused(workflows: Workflows, principal: Principal, asked: Step) -> CallerError:
    """Return why a workflow with this step is not stored."""
    with pytest.raises(CallerError) as caught:
        await workflows.create(principal, draft(asked))
    assert await Workflow.all().count() == 0
    return caught.value


async def test_a_usable_credential_of_one_s_own_is_taken(
    workflows: Workflows, credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, credential())

    assert (await workflows.create(principal, draft(step(row.id)))).revision == 1


async def test_one_that_may_be_good_again_is_taken(
    workflows: Workflows, credentials: Credentials, principal: Principal, clock: ManualClock
) -> None:
    row = await credentials.create(principal, credential())
    await Credential.filter(id=row.id).update(refused_at=clock.now(), expires_at=clock.now())

    assert (await workflows.create(principal, draft(step(row.id)))).revision == 1


async def test_a_credential_of_others_is_not_found_like_one_that_never_was(
    workflows: Workflows, credentials: Credentials, principal: Principal, stranger: Principal
) -> None:
    foreign = await credentials.create(stranger, credential())
    asked = step(foreign.id, ids.new_id(ids.Kind.CREDENTIAL), "nonsense")

    error = await refused(workflows, principal, asked)

    assert isinstance(error, InvalidMany)
    assert all(isinstance(fault, NotFound) for fault in each(error))
    place = "input.steps.0.config.prompt.models"
    assert [".".join(fault.path) for fault in each(error)] == [
        f"{place}.{number}.credentialId" for number in range(3)
    ]


async def test_one_for_another_provider_is_refused(
    workflows: Workflows, credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, credential())

    error = await refused(workflows, principal, step(row.id, provider=ModelProvider.GOOGLE))

    assert isinstance(error, CredentialUnavailable)
    assert (error.providers, "OPENAI" in error.message) == (("GOOGLE",), True)


async def test_a_revoked_one_is_refused(
    workflows: Workflows, credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, credential())
    await credentials.revoke(principal, row.id)

    error = await refused(workflows, principal, step(row.id))

    assert isinstance(error, CredentialUnavailable)
    assert "was revoked" in error.message
