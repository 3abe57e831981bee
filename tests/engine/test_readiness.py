"""Proves that what would keep a workflow from running is found before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from promptpilot.engine.credentials import Credentials
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.fault import Fault
from promptpilot.engine.prices import shipped_prices
from promptpilot.engine.principal import Principal
from promptpilot.engine.readiness import Readiness
from promptpilot.engine.step_configs import (
    ModelErrorPolicy,
    ModelProvider,
    ModelRouting,
    ModelTarget,
    PromptConfig,
    RoutingMode,
)
from promptpilot.engine.vault import Vault
from promptpilot.models import Credential
from promptpilot.models.database import Database
from tests.schema.counting import counted
from tests.support.clock import ManualClock
from tests.support.credentials import draft, verbs

GPT = ModelTarget(ModelProvider.OPENAI, "gpt-4o")
SIMULATED = ModelTarget(ModelProvider.SIMULATOR, "echo")
FALLBACK = ModelRouting(RoutingMode.FALLBACK)
PARALLEL = ModelRouting(RoutingMode.PARALLEL)
FORGIVING = ModelRouting(RoutingMode.PARALLEL, ModelErrorPolicy.CONTINUE)


@pytest.fixture
def credentials(database: Database, vault: Vault, clock: ManualClock) -> Credentials:
    """Give the verbs of credentials."""
    return verbs(database, vault, clock)


@pytest.fixture
def readiness(database: Database, clock: ManualClock) -> Readiness:
    """Give what looks at definitions, on a server without keys of its own."""
    return Readiness(clock, shipped_prices(), frozenset())


def asking(*targets: ModelTarget, routing: ModelRouting = PARALLEL) -> Definition:
    """Make a definition of one step that asks these models."""
    return Definition((Step("ask", PromptConfig(targets, content="Hi", routing=routing)),))


def told(faults: Sequence[Fault]) -> list[tuple[str, str]]:
    """Return severities and codes."""
    return [(each.severity, each.code) for each in faults]


async def look(readiness: Readiness, principal: Principal, definition: Definition) -> list[Fault]:
    """Return what is wrong with one definition."""
    (faults,) = await readiness.faults_of(principal.workspace_id, [definition])
    return faults


async def test_the_simulator_needs_nothing(readiness: Readiness, principal: Principal) -> None:
    assert await look(readiness, principal, asking(SIMULATED)) == []


async def test_a_missing_credential_is_an_error_at_its_model(
    readiness: Readiness, principal: Principal
) -> None:
    (fault,) = await look(readiness, principal, asking(SIMULATED, GPT))

    assert (fault.severity, fault.code, fault.step_name) == ("ERROR", "CREDENTIAL_MISSING", "ask")
    assert fault.path == ("steps", "0", "config", "prompt", "models", "1", "provider")


@pytest.mark.parametrize("routing", [FALLBACK, FORGIVING], ids=["fallback", "continue"])
async def test_what_leaves_another_model_is_a_warning(
    routing: ModelRouting, readiness: Readiness, principal: Principal
) -> None:
    faults = await look(readiness, principal, asking(GPT, SIMULATED, routing=routing))

    assert told(faults) == [("WARNING", "CREDENTIAL_MISSING")]


async def test_a_stored_credential_is_enough(
    readiness: Readiness, principal: Principal, credentials: Credentials
) -> None:
    await credentials.create(principal, draft())

    assert await look(readiness, principal, asking(GPT)) == []


async def test_a_key_of_the_server_is_enough(clock: ManualClock, principal: Principal) -> None:
    readiness = Readiness(clock, shipped_prices(), frozenset({"OPENAI"}))

    assert await look(readiness, principal, asking(GPT)) == []


async def test_a_revoked_credential_is_none(
    readiness: Readiness, principal: Principal, credentials: Credentials
) -> None:
    stored = await credentials.create(principal, draft())
    await credentials.revoke(principal, stored.id)

    assert told(await look(readiness, principal, asking(GPT))) == [("ERROR", "CREDENTIAL_REVOKED")]


async def test_an_expired_credential_is_none(
    readiness: Readiness, principal: Principal, credentials: Credentials, clock: ManualClock
) -> None:
    await credentials.create(principal, draft(expires_at=clock.now() + timedelta(days=1)))
    clock.move(days=2)

    assert told(await look(readiness, principal, asking(GPT))) == [("ERROR", "CREDENTIAL_EXPIRED")]


async def test_the_credential_that_expired_is_named_and_how_it_works_again(
    readiness: Readiness, principal: Principal, credentials: Credentials, clock: ManualClock
) -> None:
    await credentials.create(
        principal, draft(label="old", expires_at=clock.now() + timedelta(days=1))
    )
    newest = await credentials.create(principal, draft(label="new"))
    await credentials.revoke(principal, newest.id)
    clock.move(days=2)

    (fault,) = await look(readiness, principal, asking(GPT))

    assert fault.message.startswith("The credential 'old' for OPENAI expired;")
    assert "updateModelCredential" in fault.message


async def test_a_refused_credential_is_a_warning(
    readiness: Readiness, principal: Principal, credentials: Credentials, clock: ManualClock
) -> None:
    stored = await credentials.create(principal, draft())
    await Credential.filter(id=stored.id).update(refused_at=clock.now())

    assert told(await look(readiness, principal, asking(GPT))) == [
        ("WARNING", "CREDENTIAL_REJECTED")
    ]


async def test_the_credential_that_is_named_has_to_be_there(
    readiness: Readiness, principal: Principal, credentials: Credentials
) -> None:
    await credentials.create(principal, draft())
    target = ModelTarget(ModelProvider.OPENAI, "gpt-4o", credential_id="cred_other")

    (fault,) = await look(readiness, principal, asking(target))

    assert (fault.code, fault.path[-1]) == ("CREDENTIAL_MISSING", "credentialId")


async def test_a_credential_of_another_workspace_is_none(
    readiness: Readiness, principal: Principal, stranger: Principal, credentials: Credentials
) -> None:
    await credentials.create(stranger, draft())

    assert told(await look(readiness, principal, asking(GPT))) == [("ERROR", "CREDENTIAL_MISSING")]


async def test_an_unknown_price_is_a_warning(
    readiness: Readiness, principal: Principal, credentials: Credentials
) -> None:
    await credentials.create(principal, draft())

    (fault,) = await look(readiness, principal, asking(ModelTarget(GPT.provider, "my-own")))

    assert (fault.severity, fault.code, fault.path[-1]) == ("WARNING", "UNKNOWN_PRICE", "model")


async def test_disabled_models_are_not_looked_at(
    readiness: Readiness, principal: Principal
) -> None:
    disabled = ModelTarget(ModelProvider.OPENAI, "my-own", is_disabled=True)

    assert await look(readiness, principal, asking(disabled, SIMULATED)) == []


async def test_many_definitions_cost_as_many_queries_as_one(
    readiness: Readiness, principal: Principal, database: Database
) -> None:
    with counted(database) as for_one:
        await readiness.faults_of(principal.workspace_id, [asking(GPT)])
    with counted(database) as for_many:
        found = await readiness.faults_of(principal.workspace_id, [asking(GPT)] * 20)

    assert len(found) == 20
    assert len(for_many) == len(for_one) == 1
