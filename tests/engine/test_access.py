"""Proves who gets an account, who is let in, and who is kept out."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta

import pytest

from promptpilot.engine.access import Access
from promptpilot.engine.emails import clean_email, email_key
from promptpilot.engine.principal import Principal, Role
from promptpilot.errors import (
    BadCredentials,
    CallerError,
    InvalidInput,
    NotFound,
    NotUnique,
    Required,
    Unauthenticated,
)
from promptpilot.models import AccessToken, User, Workspace
from promptpilot.models.database import Database
from tests.support.clock import ManualClock

PASSWORD = "correct horse battery"


async def test_an_account_comes_with_one_personal_workspace(access: Access) -> None:
    signed_in = await access.register("Ada@Example.org", PASSWORD, "Ada")

    workspaces = await Workspace.filter(owner_id=signed_in.user.id)
    assert [workspace.is_personal for workspace in workspaces] == [True]
    assert signed_in.user.email == "Ada@Example.org"


async def test_the_first_user_is_admin_and_the_next_one_is_not(access: Access) -> None:
    first = await access.register("ada@example.org", PASSWORD, None)
    second = await access.register("bob@example.org", PASSWORD, None)

    assert (first.user.role, second.user.role) == ("ADMIN", "USER")


async def test_of_two_first_users_at_once_only_one_becomes_admin(access: Access) -> None:
    await asyncio.gather(
        access.register("ada@example.org", PASSWORD, None),
        access.register("bob@example.org", PASSWORD, None),
    )

    assert await User.filter(role="ADMIN").count() == 1


@pytest.mark.parametrize("again", ["ada@example.org", "ADA@EXAMPLE.ORG", " ada@example.org "])
async def test_an_email_is_taken_in_every_spelling(access: Access, again: str) -> None:
    await access.register("ada@example.org", PASSWORD, None)

    with pytest.raises(NotUnique) as refused:
        await access.register(again, PASSWORD, None)

    assert refused.value.path == ("input", "email")
    assert (await User.all().count(), await Workspace.all().count()) == (1, 1)


async def test_the_same_email_twice_at_once_makes_one_account(access: Access) -> None:
    answers = await asyncio.gather(
        access.register("ada@example.org", PASSWORD, None),
        access.register("Ada@example.org", PASSWORD, None),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, NotUnique) for answer in answers) == 1
    assert await User.all().count() == 1


@pytest.mark.parametrize(
    ("email", "password", "name", "path"),
    [
        ("ada", PASSWORD, None, ("input", "email")),
        ("ada@example.org", "too short", None, ("input", "password")),
        ("ada@example.org", PASSWORD, "  ", ("input", "name")),
        ("ada@example.org", PASSWORD, "two\nlines", ("input", "name")),
    ],
)
async def test_what_cannot_be_an_account_is_refused_by_its_path(
    access: Access, email: str, password: str, name: str | None, path: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await access.register(email, password, name)

    assert refused.value.path == path
    assert not await User.exists()


@pytest.mark.parametrize(
    "email",
    [
        "",
        "@",
        "ada@",
        "@example.org",
        "a b@example.org",
        "ada@example..org",
        "ada@-example.org",
        "ada@exam\x00ple.org",
        "ada\ud800@example.org",
        "ada@example.org, bob@example.org",
        f"ada@{'a.' * 125}org",
        f"{'a' * 65}@example.org",
    ],
)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInput):
        clean_email(email)


@pytest.mark.parametrize("email", ["owner@localhost", "o'neil+x@sub.example.org", "ä@bücher.de"])
def test_unusual_addresses_are_taken(email: str) -> None:
    assert clean_email(email) == email


def test_width_and_case_make_no_other_account() -> None:
    assert email_key("\uff21DA@Example.org") == email_key("ada@example.org")


async def test_the_session_of_a_login_identifies_the_user_and_the_workspace(
    access: Access,
) -> None:
    registered = await access.register("ada@example.org", PASSWORD, None)

    signed_in = await access.login("ADA@example.org", PASSWORD)

    workspace = await Workspace.get(owner_id=registered.user.id)
    found = await access.identify(signed_in.token)
    assert replace(found, session_id=None) == Principal(
        registered.user.id, workspace.id, Role.ADMIN, signed_in.expires_at
    )


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.org", "wrong horse battery"),
        ("bob@example.org", PASSWORD),
        ("no address", PASSWORD),
        ("\x00", PASSWORD),
        ("ada@example.org", ""),
        ("ada@example.org", "\ud800" * 2000),
    ],
)
async def test_a_failed_login_does_not_tell_what_was_wrong(
    access: Access, email: str, password: str
) -> None:
    await access.register("ada@example.org", PASSWORD, None)

    with pytest.raises(BadCredentials) as refused:
        await access.login(email, password)

    assert str(refused.value) == "E-mail or password is wrong."


async def test_a_session_ends_after_its_time(access: Access, clock: ManualClock) -> None:
    signed_in = await access.register("ada@example.org", PASSWORD, None)

    clock.at = signed_in.expires_at

    with pytest.raises(Unauthenticated):
        await access.identify(signed_in.token)


async def test_the_session_of_a_deleted_user_is_refused(access: Access) -> None:
    signed_in = await access.register("ada@example.org", PASSWORD, None)
    await User.filter(id=signed_in.user.id).delete()

    with pytest.raises(Unauthenticated):
        await access.identify(signed_in.token)


@pytest.mark.parametrize("bearer", ["", "x", "a.b.c", "pp_00000000_" + "A" * 43, "\x00", "\ud800"])
async def test_what_proves_nobody_is_refused(access: Access, bearer: str) -> None:
    with pytest.raises(Unauthenticated):
        await access.identify(bearer)


async def test_an_access_token_identifies_its_owner(access: Access, principal: Principal) -> None:
    row, text = await access.create_token(principal, "ci", None)

    assert await access.identify(text) == replace(principal, token_id=row.id)
    assert text not in {row.sha256, row.preview}


async def test_an_access_token_carries_its_end(
    access: Access, principal: Principal, clock: ManualClock
) -> None:
    until = clock.now() + timedelta(hours=1)
    _, text = await access.create_token(principal, "ci", until)

    assert (await access.identify(text)).expires_at == until
    clock.at = until
    with pytest.raises(Unauthenticated):
        await access.identify(text)


async def test_a_revoked_token_is_refused_and_keeps_its_first_instant(
    access: Access, principal: Principal, clock: ManualClock
) -> None:
    row, text = await access.create_token(principal, "ci", None)
    first = await access.revoke_token(principal, row.id)
    clock.move(hours=1)

    again = await access.revoke_token(principal, row.id)

    assert again.revoked_at == first.revoked_at is not None
    with pytest.raises(Unauthenticated):
        await access.identify(text)


async def test_the_use_of_a_token_is_kept_to_the_minute(
    access: Access, principal: Principal, clock: ManualClock
) -> None:
    row, text = await access.create_token(principal, "ci", None)

    await access.identify(text)
    clock.move(seconds=10)
    await access.identify(text)

    kept = await AccessToken.get(id=row.id)
    assert kept.last_used_at == clock.now().replace(second=0)


async def test_a_token_is_written_again_only_in_another_minute(
    access: Access, principal: Principal, clock: ManualClock
) -> None:
    row, text = await access.create_token(principal, "ci", None)
    await access.identify(text)
    clock.move(minutes=5)

    await access.identify(text)

    kept = await AccessToken.get(id=row.id)
    assert kept.last_used_at == clock.now().replace(second=0)


async def test_a_busy_database_keeps_nobody_out(
    access: Access, principal: Principal, database: Database
) -> None:
    row, text = await access.create_token(principal, "ci", None)
    outside = copy_context()

    async with database.transaction():
        await AccessToken.filter(id=row.id).update(label="locked")
        known = await asyncio.create_task(access.identify(text), context=outside)

    assert known == replace(principal, token_id=row.id)


@pytest.mark.parametrize("id", ["", "x", "\x00", "tok_" + 26 * "0"])
async def test_a_token_that_is_not_there_is_not_found(
    access: Access, principal: Principal, id: str
) -> None:
    with pytest.raises(NotFound) as refused:
        await access.revoke_token(principal, id)

    assert str(refused.value) == "There is no access token with this id."


async def test_another_ones_token_looks_like_none(
    access: Access, principal: Principal, stranger: Principal
) -> None:
    row, text = await access.create_token(principal, "ci", None)

    with pytest.raises(NotFound):
        await access.revoke_token(stranger, row.id)

    assert (await access.identify(text)).user_id == principal.user_id


@pytest.mark.parametrize(
    ("label", "hours", "error"),
    [("", 1, Required), ("x" * 101, 1, InvalidInput), ("ci", 0, InvalidInput)],
)
async def test_a_token_needs_a_label_and_a_future(
    access: Access,
    principal: Principal,
    clock: ManualClock,
    label: str,
    hours: int,
    error: type[CallerError],
) -> None:
    with pytest.raises(error):
        await access.create_token(principal, label, clock.now() + timedelta(hours=hours))

    assert not await AccessToken.exists()
