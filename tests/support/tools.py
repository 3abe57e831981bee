"""What a runner of a test drives executions with: the real executors, providers and HTTP client."""

from __future__ import annotations

from typing import Any

from promptpilot.clock import Clock, SystemClock
from promptpilot.engine.commits import Committer
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.ports import Feed
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.tools import Tools
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.models.database import Database
from tests.support.models import PRICES

#: The vault of tests; its key is no secret.
VAULT = Vault([("k1", bytes(range(32)))])


def make_tools(
    database: Database,
    committer: Committer,
    feed: Feed,
    *,
    clock: Clock | None = None,
    versions: Versions | None = None,
    **others: Any,
) -> Tools:
    """Make the tools of a runner; `others` are put in place of the real ones."""
    given: dict[str, Any] = {
        "database": database,
        "committer": committer,
        "versions": versions or Versions(),
        "feed": feed,
        "http": HttpClient(),
        "prices": PRICES,
        "secrets": SecretStore(database, VAULT, clock or SystemClock()).open_for,
    }
    return Tools(**{**given, **others})
