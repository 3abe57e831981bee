"""Proves that an access token does what its scopes allow and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from promptpilot.engine.access import Access
from promptpilot.engine.api import Engine
from promptpilot.engine.parts import Parts
from promptpilot.engine.principal import SCOPE, Principal, Scope
from promptpilot.errors import InvalidInput, PermissionDenied
from promptpilot.models import AccessToken, AuditEntry
from tests.support.drafts import draft, transform

#: Everybody may end the session that they speak in.
_FOR_ALL = {"end_sessions"}


def _verbs() -> Iterator[tuple[str, Any]]:
    """Yield every verb of the Engine, and of its nouns, that is called by a Principal."""
    given = Engine.__init__.__code__.co_names
    nouns = [_class_of(str(field.type)) for field in fields(Parts) if field.name in given]
    homes = [Engine, *nouns]
    for home in homes:
        for name, verb in vars(home).items():
            if name.startswith("_") or not inspect.iscoroutinefunction(verb):
                continue
            if "principal" in inspect.signature(verb).parameters and name not in _FOR_ALL:
                yield f"{home.__name__}.{name}", verb


def _class_of(name: str) -> Any:
    return getattr(inspect.getmodule(Parts), name)


@pytest.mark.parametrize("verb", [pytest.param(verb, id=name) for name, verb in _verbs()])
def test_every_verb_says_which_scope_it_needs(verb: Any) -> None:
    assert isinstance(getattr(verb, SCOPE, None), Scope)


def test_the_verbs_of_nouns_are_among_them() -> None:
    homes = {name.partition(".")[0] for name, _ in _verbs()}

    assert homes == {"Engine", "Prompts", "Credentials", "Endpoints", "Previews"}


async def test_a_token_that_may_read_makes_nothing(engine: Engine, principal: Principal) -> None:
    reader = replace(principal, scopes=frozenset({Scope.READ}))

    with pytest.raises(PermissionDenied) as refused:
        await engine.create_workflow(reader, draft(transform("a", x="1")))

    assert "WRITE" in str(refused.value)


async def test_a_token_that_may_read_signs_nobody_out(access: Access, principal: Principal) -> None:
    reader = replace(principal, scopes=frozenset({Scope.READ}))

    with pytest.raises(PermissionDenied):
        await access.end_sessions(reader, everywhere=True)

    assert await access.end_sessions(reader, everywhere=False) == 0


async def test_a_token_is_identified_with_its_scopes(access: Access, principal: Principal) -> None:
    _, text = await access.create_token(principal, "ci", None, [Scope.RUN, Scope.READ])

    assert (await access.identify(text)).scopes == frozenset({Scope.RUN, Scope.READ})


async def test_a_token_without_scopes_does_what_its_maker_may(
    access: Access, principal: Principal
) -> None:
    runner = replace(principal, scopes=frozenset({Scope.RUN, Scope.ACCESS}))

    _, everything = await access.create_token(principal, "all", None)
    _, same = await access.create_token(runner, "same", None)

    assert (await access.identify(everything)).scopes is None
    assert (await access.identify(same)).scopes == runner.scopes


async def test_nobody_gives_away_more_than_they_have(access: Access, principal: Principal) -> None:
    runner = replace(principal, scopes=frozenset({Scope.RUN, Scope.ACCESS}))

    with pytest.raises(PermissionDenied):
        await access.create_token(runner, "more", None, [Scope.SECRETS])

    assert await AccessToken.all().count() == 0


async def test_a_token_for_nothing_is_refused(access: Access, principal: Principal) -> None:
    with pytest.raises(InvalidInput) as refused:
        await access.create_token(principal, "none", None, [])

    assert refused.value.path == ("input", "scopes")


async def test_making_and_revoking_a_token_is_on_record(
    access: Access, principal: Principal
) -> None:
    row, text = await access.create_token(principal, "ci", None, [Scope.READ])
    await access.revoke_token(principal, row.id)
    await access.revoke_token(principal, row.id)

    entries = await AuditEntry.all().order_by("created_at", "id")
    assert [each.action for each in entries] == ["ACCESS_TOKEN_CREATED", "ACCESS_TOKEN_REVOKED"]
    assert {each.object_id for each in entries} == {row.id}
    assert text not in repr([each.details for each in entries])
