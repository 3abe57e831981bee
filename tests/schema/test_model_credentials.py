"""Model credentials over GraphQL: what goes in, what never comes out, and who sees what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.accounts import Account, Probed
from promptpilot.engine.api import Engine
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.commits import Committer
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.principal import Principal, Scope
from promptpilot.engine.tokens import SessionTokens
from promptpilot.errors import StepFailed
from promptpilot.models import Credential
from promptpilot.models.database import Database
from tests.schema.api import Api
from tests.support.clock import ManualClock
from tests.support.credentials import NEW_SECRET, SECRET, FakeProber
from tests.support.fakes import FakeFeed, FakeWaker
from tests.support.tools import VAULT

GIVEN = {"provider": "OPENAI", "label": "main", "secret": SECRET}
SHOWN = """
  modelCredential {
    id provider label secretPreview baseUrl status metadata refusal owner { id }
    lastUsedAt lastRotatedAt expiresAt revokedAt createdAt updatedAt
  }
  errors { __typename code message path ... on CredentialError { providers } }
"""
LIST = """
query ($p: [ModelProvider!]) { modelCredentials(providers: $p) { id label status } }
"""
NODE = "query ($id: ID!) { node(id: $id) { id ... on ModelCredential { label } } }"
WORKFLOW = (
    "workflow { steps { config { ... on PromptStepConfig { models { credential { id } } } } } }"
)


@pytest.fixture
def prober() -> FakeProber:
    """Give a provider that takes every key unless told otherwise."""
    return FakeProber()


@pytest.fixture
def engine(
    database: Database,
    clock: ManualClock,
    passwords: Passwords,
    committer: Committer,
    prober: FakeProber,
) -> Engine:
    """Give an engine whose server has a key for ANTHROPIC."""
    sessions = SessionTokens(b"0123456789abcdef0123456789abcdef", "promptpilot", "promptpilot")
    foundation = Foundation(
        database=database,
        committer=committer,
        clock=clock,
        waker=FakeWaker(),
        feed=FakeFeed(),
        vault=VAULT,
        passwords=passwords,
        sessions=sessions,
        prober=prober,
        environment={"ANTHROPIC": Account("sk-of-the-server")},
    )
    return assemble(foundation)


async def make(api: Api, **fields: Any) -> dict[str, Any]:
    """Make a credential and return it."""
    payload = await api.mutate("createModelCredential", {**GIVEN, **fields}, SHOWN)
    assert payload["errors"] == []
    made: dict[str, Any] = payload["modelCredential"]
    return made


async def test_a_new_credential_is_shown_without_its_secret(api: Api, principal: Principal) -> None:
    made = await make(api, baseUrl="https://gateway.example/v1", metadata={"team": "a"})

    assert (made["secretPreview"], made["status"]) == ("sk-l…ghij", "ACTIVE")
    assert (made["baseUrl"], made["metadata"]) == ("https://gateway.example/v1", {"team": "a"})
    assert made["owner"] == {"id": principal.user_id}
    assert SECRET not in repr(made)


async def test_a_fault_names_its_field_and_not_the_secret(api: Api) -> None:
    wrong = {**GIVEN, "secret": f"{SECRET} x", "baseUrl": "http://gateway.example"}

    payload = await api.mutate("createModelCredential", wrong, SHOWN)

    assert [each["path"] for each in payload["errors"]] == [
        ["input", "secret"],
        ["input", "baseUrl"],
    ]
    assert SECRET not in repr(payload)


async def test_a_credential_is_changed_rotated_and_revoked(api: Api) -> None:
    made = (await make(api, expiresAt="2026-09-05T00:00:00Z"))["id"]

    updated = await api.mutate("updateModelCredential", {"id": made, "expiresAt": None}, SHOWN)
    rotated = await api.mutate("rotateModelCredential", {"id": made, "secret": NEW_SECRET}, SHOWN)
    revoked = await api.mutate("revokeModelCredential", {"id": made}, SHOWN)
    again = await api.mutate("rotateModelCredential", {"id": made, "secret": SECRET}, SHOWN)

    assert updated["modelCredential"]["status"] == "ACTIVE"
    assert rotated["modelCredential"]["secretPreview"] == "sk-n…tsrq"
    assert revoked["modelCredential"]["status"] == "REVOKED"
    assert again["errors"][0]["code"] == "INVALID_STATE"


async def test_a_test_says_whether_the_key_is_taken(api: Api, prober: FakeProber) -> None:
    made = (await make(api))["id"]
    selection = f"isAccepted latencyMs {SHOWN}"

    good = await api.mutate("testModelCredential", {"id": made}, selection)
    prober.answer = Probed(is_accepted=False, latency_ms=3, words="Wrong key.")
    bad = await api.mutate("testModelCredential", {"id": made}, selection)

    assert (good["isAccepted"], good["latencyMs"]) == (True, 12)
    assert (bad["isAccepted"], bad["modelCredential"]["status"]) == (False, "REJECTED")
    assert bad["modelCredential"]["refusal"] == "Wrong key."


async def test_a_test_that_cannot_be_made_is_an_error_of_the_payload(
    api: Api, prober: FakeProber
) -> None:
    made = (await make(api))["id"]
    prober.answer = StepFailed("OpenAI did not answer.", "PROVIDER_TIMEOUT")

    payload = await api.mutate("testModelCredential", {"id": made}, f"isAccepted latencyMs {SHOWN}")

    assert (payload["isAccepted"], payload["latencyMs"]) == (False, None)
    assert payload["errors"] == [
        {
            "__typename": "CredentialError",
            "code": "CREDENTIAL_UNAVAILABLE",
            "message": "OpenAI did not answer.",
            "path": ["input", "id"],
            "providers": ["OPENAI"],
        }
    ]


async def test_credentials_are_listed_and_found_by_id(api: Api) -> None:
    first, second = await make(api), await make(api, provider="GOOGLE")

    every = (await api.run(LIST))["modelCredentials"]
    some = (await api.run(LIST, p=["GOOGLE"]))["modelCredentials"]
    node = (await api.run(NODE, id=first["id"]))["node"]

    assert [each["id"] for each in every] == [second["id"], first["id"]]
    assert [each["id"] for each in some] == [second["id"]]
    assert node == {"id": first["id"], "label": "main"}


async def test_a_stranger_sees_and_changes_nothing(api: Api, stranger: Principal) -> None:
    made, eve = await make(api), api.seen_by(stranger)

    payload = await eve.mutate("revokeModelCredential", {"id": made["id"]}, SHOWN)

    assert payload["errors"][0]["code"] == "NOT_FOUND"
    assert (await eve.run(LIST))["modelCredentials"] == []
    assert (await eve.run(NODE, id=made["id"]))["node"] is None
    assert (await Credential.get()).revoked_at is None


async def test_nobody_without_a_sign_in_or_the_scope_makes_one(
    api: Api, principal: Principal
) -> None:
    document = """mutation ($i: CreateModelCredentialInput!) {
      createModelCredential(input: $i) { errors { code } }
    }"""
    reader = replace(principal, scopes=frozenset({Scope.READ, Scope.WRITE}))

    refused = await api.seen_by(None).refused(document, i=GIVEN)
    payload = await api.seen_by(reader).mutate("createModelCredential", GIVEN, SHOWN)

    assert "Sign in first" in refused.message
    assert payload["errors"][0]["code"] == "FORBIDDEN"
    assert await Credential.all().count() == 0


async def test_a_model_shows_the_credential_that_it_names(api: Api) -> None:
    made = await make(api)
    model = {"provider": "OPENAI", "model": "m", "credentialId": made["id"]}
    step = {"name": "ask", "config": {"prompt": {"models": [model], "content": "Hi."}}}

    payload = await api.mutate("createWorkflow", {"name": "w", "steps": [step]}, WORKFLOW)

    (shown,) = payload["workflow"]["steps"]
    assert shown["config"]["models"] == [{"credential": {"id": made["id"]}}]


async def test_a_revoked_credential_is_refused_where_the_model_names_it(api: Api) -> None:
    made = await make(api)
    await api.mutate("revokeModelCredential", {"id": made["id"]}, SHOWN)
    model = {"provider": "OPENAI", "model": "m", "credentialId": made["id"]}
    step = {"name": "ask", "config": {"prompt": {"models": [model], "content": "Hi."}}}

    payload = await api.mutate(
        "createWorkflow", {"name": "w", "steps": [step]}, "errors { __typename code path }"
    )

    path = ["input", "steps", "0", "config", "prompt", "models", "0", "credentialId"]
    code = "CREDENTIAL_UNAVAILABLE"
    assert payload["errors"] == [{"__typename": "CredentialError", "code": code, "path": path}]


async def test_the_server_tells_which_providers_can_be_called(
    api: Api, stranger: Principal
) -> None:
    await make(api)
    document = "{ serverInfo { providers { provider isConfigured } } }"

    seen = {
        who: {
            each["provider"]
            for each in (await found.run(document))["serverInfo"]["providers"]
            if each["isConfigured"]
        }
        for who, found in {"ada": api, "eve": api.seen_by(stranger)}.items()
    }

    assert seen["ada"] == {"OPENAI", "ANTHROPIC", "SIMULATOR"}
    assert seen["eve"] == {"ANTHROPIC", "SIMULATOR"}
