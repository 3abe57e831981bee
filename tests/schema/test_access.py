"""Proves that people sign up and in through the API, and hand out and withdraw tokens."""

from __future__ import annotations

from promptpilot.errors import Unauthenticated
from tests.schema.api import Api

PASSWORD = "correct horse battery"
SELECTION = """
  token expiresAt user { email name role } errors { __typename code message path }
"""


async def test_who_registers_is_signed_in(api: Api) -> None:
    nobody = api.seen_by(None)
    given = {"email": "grace@example.org", "password": PASSWORD, "name": "Grace"}

    payload = await nobody.mutate("register", given, SELECTION)

    principal = await api.engine.identify(payload["token"])
    viewer = await api.seen_by(principal).run("{ viewer { email name } }")
    assert payload["user"] == {"email": "grace@example.org", "name": "Grace", "role": "USER"}
    assert viewer["viewer"] == {"email": "grace@example.org", "name": "Grace"}


async def test_an_address_is_taken_once(api: Api) -> None:
    given = {"email": "grace@example.org", "password": PASSWORD}
    await api.mutate("register", given, "token")

    payload = await api.mutate("register", given, SELECTION)

    assert (payload["token"], payload["user"]) == (None, None)
    error = payload["errors"][0]
    assert (error["code"], error["path"]) == ("NOT_UNIQUE", ["input", "email"])


async def test_a_wrong_password_and_an_unknown_address_are_told_alike(api: Api) -> None:
    await api.mutate("register", {"email": "grace@example.org", "password": PASSWORD}, "token")

    wrong = {"email": "grace@example.org", "password": "another password"}
    unknown = {"email": "nobody@example.org", "password": PASSWORD}
    payloads = [await api.mutate("login", given, SELECTION) for given in (wrong, unknown)]

    assert payloads[0] == payloads[1]
    assert payloads[0]["errors"][0]["code"] == "BAD_CREDENTIALS"


async def test_signing_in_again_gives_a_new_token(api: Api) -> None:
    given = {"email": "grace@example.org", "password": PASSWORD}
    await api.mutate("register", given, "token")

    payload = await api.mutate("login", given, SELECTION)

    principal = await api.engine.identify(payload["token"])
    found = await api.seen_by(principal).run("{ viewer { email } }")
    assert payload["errors"] == []
    assert found["viewer"]["email"] == given["email"]


async def test_a_token_for_programs_is_shown_once_and_withdrawn(api: Api) -> None:
    made = await api.mutate(
        "createAccessToken", {"label": "ci"}, "token accessToken { id preview }"
    )
    caller = await api.engine.identify(made["token"])
    listed = await api.seen_by(caller).run("{ accessTokens { label preview revokedAt } }")

    revoked = await api.mutate(
        "revokeAccessToken", {"id": made["accessToken"]["id"]}, "accessToken { revokedAt }"
    )

    preview = made["accessToken"]["preview"]
    assert listed["accessTokens"] == [{"label": "ci", "preview": preview, "revokedAt": None}]
    assert revoked["accessToken"]["revokedAt"] is not None
    assert made["token"].startswith(preview)


async def test_a_token_cannot_end_before_it_begins(api: Api) -> None:
    given = {"label": "ci", "expiresAt": "2020-01-01T00:00:00Z"}

    payload = await api.mutate("createAccessToken", given, "token errors { code path }")

    assert payload["token"] is None
    assert payload["errors"] == [{"code": "INVALID_INPUT", "path": ["input", "expiresAt"]}]


async def test_a_time_without_an_offset_is_refused_before_anything_runs(api: Api) -> None:
    document = (
        "mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { token } }"
    )

    refused = await api.refused(document, input={"label": "ci", "expiresAt": "2030-01-01T00:00"})

    assert '"2030-01-01T00:00" is not a time of RFC 3339 with an offset' in refused.message
    assert not isinstance(refused.original_error, Unauthenticated)
