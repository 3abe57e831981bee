"""Proves that people sign up and in through the API, and hand out and withdraw tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest

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


RENEWED = "token refreshToken refreshExpiresAt errors { code message path }"


async def test_a_session_is_renewed_without_a_password(api: Api) -> None:
    given = {"email": "grace@example.org", "password": PASSWORD}
    first = await api.mutate("register", given, RENEWED)
    nobody = api.seen_by(None)

    second = await nobody.mutate("refreshSession", {"refreshToken": first["refreshToken"]}, RENEWED)

    assert second["errors"] == []
    assert second["refreshToken"] not in {None, first["refreshToken"]}


async def test_what_renews_nothing_is_an_error_as_data(api: Api) -> None:
    payload = await api.seen_by(None).mutate("refreshSession", {"refreshToken": "no"}, RENEWED)

    (error,) = payload["errors"]
    assert (payload["token"], error["code"]) == (None, "BAD_CREDENTIALS")
    assert error["path"] == ["input", "refreshToken"]


async def test_who_signs_out_is_out_at_once(api: Api) -> None:
    given = {"email": "grace@example.org", "password": PASSWORD}
    token = (await api.mutate("register", given, RENEWED))["token"]
    caller = api.seen_by(await api.engine.identify(token))

    payload = await caller.mutate("logout", {"everywhere": False}, "endedCount errors { code }")

    assert payload == {"endedCount": 1, "errors": []}
    with pytest.raises(Unauthenticated):
        await api.engine.identify(token)


async def test_who_guesses_too_often_is_told_until_when(api: Api) -> None:
    given = {"email": "grace@example.org", "password": "wrong horse battery"}
    guesser = replace(api.seen_by(None), address="192.0.2.1")
    for _ in range(10):
        await guesser.mutate("login", given, "token")

    payload = await guesser.mutate(
        "login", given, "errors { code ... on LimitExceededError { limit retryAfter } }"
    )

    (error,) = payload["errors"]
    assert (error["code"], error["limit"]) == ("LIMIT_EXCEEDED", 10)
    assert error["retryAfter"] is not None


async def test_the_audit_log_shows_what_was_done_newest_first(api: Api) -> None:
    made = await api.mutate("createAccessToken", {"label": "ci"}, "accessToken { id }")
    token_id = made["accessToken"]["id"]
    await api.mutate("revokeAccessToken", {"id": token_id}, "errors { code }")

    found = await api.run("{ auditLog { nodes { action objectId actor { id } details } } }")

    nodes = found["auditLog"]["nodes"]
    assert [each["action"] for each in nodes[:2]] == [
        "ACCESS_TOKEN_REVOKED",
        "ACCESS_TOKEN_CREATED",
    ]
    assert {each["objectId"] for each in nodes[:2]} == {token_id}
    assert nodes[1]["details"] == {"label": "ci", "scopes": None}


async def test_the_audit_log_is_filtered(api: Api) -> None:
    await api.mutate("createAccessToken", {"label": "ci"}, "accessToken { id }")

    found = await api.run(
        "query ($where: AuditFilter) { auditLog(where: $where) { totalCount } }",
        where={"actions": ["TRIGGER_CREATED"]},
    )

    assert found["auditLog"]["totalCount"] == 0


async def test_a_token_without_the_scope_reads_no_audit_log(api: Api) -> None:
    made = await api.mutate("createAccessToken", {"label": "ci", "scopes": ["RUN"]}, "token")
    reader = api.seen_by(await api.engine.identify(made["token"]))

    error = await reader.refused("{ auditLog { totalCount } }")

    assert "ACCESS" in error.message
