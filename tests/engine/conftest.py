"""What tests of the engine can ask for: a clock, people who call, and the verbs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from promptpilot.engine.access import Access
from promptpilot.engine.api import Engine
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.tokens import SessionTokens
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.triggers.secrets import TriggerSecrets
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.engine.workflows import Workflows
from promptpilot.models.database import Database
from tests.support.bench import Bench
from tests.support.clock import ManualClock
from tests.support.executions import CountedExecutions
from tests.support.fakes import FakeFeed, FakeWaker
from tests.support.people import make_principal


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    """Give the real password hashing; its threads serve all tests."""
    made = Passwords()
    yield made
    made.close()


@pytest.fixture(scope="session")
def sessions() -> SessionTokens:
    """Give the maker of session tokens."""
    return SessionTokens(b"0123456789abcdef0123456789abcdef", "promptpilot", "promptpilot")


@pytest.fixture(scope="session")
def vault() -> Vault:
    """Give a vault with one key."""
    return Vault([("k1", bytes(range(32)))])


@pytest.fixture
def access(
    database: Database, clock: ManualClock, passwords: Passwords, sessions: SessionTokens
) -> Access:
    """Give the verbs of users and tokens."""
    return Access(database, clock, passwords, sessions)


@pytest.fixture
async def principal(database: Database, clock: ManualClock) -> Principal:
    """Give somebody who calls, with a personal workspace."""
    return await make_principal("ada", clock)


@pytest.fixture
async def stranger(database: Database, clock: ManualClock) -> Principal:
    """Give somebody else, with a workspace of their own."""
    return await make_principal("eve", clock)


@pytest.fixture
def executions() -> CountedExecutions:
    """Give the executions that deleting a workflow asks about."""
    return CountedExecutions()


@pytest.fixture
def step_secrets(database: Database, clock: ManualClock, vault: Vault) -> SecretStore:
    """Give what seals and opens the secrets of steps."""
    return SecretStore(database, vault, clock)


@pytest.fixture
def signing_secrets(database: Database, vault: Vault, clock: ManualClock) -> SigningSecrets:
    """Give what makes and changes signing secrets."""
    return SigningSecrets(database, vault, clock)


@pytest.fixture
def workflows(
    database: Database,
    clock: ManualClock,
    executions: CountedExecutions,
    step_secrets: SecretStore,
) -> Workflows:
    """Give the verbs of workflows."""
    return Workflows(database, clock, executions, step_secrets)


@pytest.fixture
def prompts(database: Database, clock: ManualClock) -> Prompts:
    """Give the verbs of prompts."""
    return Prompts(database, clock)


@pytest.fixture
def triggers(database: Database, clock: ManualClock, vault: Vault) -> Triggers:
    """Give the verbs of triggers."""
    return Triggers(database, clock, TriggerSecrets(vault), Versions())


@pytest.fixture
async def committer(database: Database, clock: ManualClock) -> AsyncIterator[Committer]:
    """Give the way in for writes to executions, on the test's clock."""
    opened = await open_committer(database, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def waker() -> FakeWaker:
    """Give a bell that counts its rings."""
    return FakeWaker()


@pytest.fixture
def feed() -> FakeFeed:
    """Give a bell that remembers for which executions it rang."""
    return FakeFeed()


@pytest.fixture
def foundation(  # noqa: PLR0913, PLR0917 -- it takes one fixture for each part
    database: Database,
    committer: Committer,
    clock: ManualClock,
    waker: FakeWaker,
    feed: FakeFeed,
    vault: Vault,
    passwords: Passwords,
    sessions: SessionTokens,
) -> Foundation:
    """Give what an Engine stands on; use `replace` for other settings."""
    return Foundation(
        database=database,
        committer=committer,
        clock=clock,
        waker=waker,
        feed=feed,
        vault=vault,
        passwords=passwords,
        sessions=sessions,
    )


@pytest.fixture
def engine(foundation: Foundation) -> Engine:
    """Give all verbs."""
    return assemble(foundation)


@pytest.fixture
async def bench(
    database: Database, committer: Committer, clock: ManualClock, principal: Principal
) -> Bench:
    """Give what it takes to launch and run executions."""
    return Bench(database, committer, clock, principal.workspace_id)
