"""Who calls: what every verb is given, and the only thing that ownership is checked against."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import Any, Final, TypeVar, cast

from promptpilot.errors import PermissionDenied


class Role(StrEnum):
    """What a user may do."""

    USER = "USER"  #: works with own objects
    ADMIN = "ADMIN"  #: also sees and manages everybody's


class Scope(StrEnum):
    """What an access token is good for. Every one includes READ."""

    READ = "READ"  #: reads everything that its user may see
    RUN = "RUN"  #: starts, steers and answers executions, runs triggers, dispatches events
    WRITE = "WRITE"  #: makes and changes prompts, workflows and triggers
    SECRETS = "SECRETS"  #: makes and changes credentials, signing secrets and trigger secrets
    ACCESS = "ACCESS"  #: makes and revokes access tokens, ends sessions, reads the audit log


@dataclass(frozen=True, slots=True)
class Principal:
    """A user who proved who they are, and the workspace they work in (their personal one).

    `expires_at` is the instant from which the proof is no longer good; None means never. `scopes`
    of None mean everything that the user may do.
    """

    user_id: str
    workspace_id: str
    role: Role
    expires_at: datetime | None = None
    scopes: frozenset[Scope] | None = None
    session_id: str | None = None
    token_id: str | None = None

    def require(self, scope: Scope) -> None:
        """Raise PermissionDenied unless the proof is good for `scope`."""
        if scope is Scope.READ or self.scopes is None or scope in self.scopes:
            return
        had = ", ".join(sorted(self.scopes))
        message = (
            f"This access token is good for {had}; the scope {scope.value} is needed. Make another "
            "with createAccessToken."
        )
        raise PermissionDenied(message)


Verb = TypeVar("Verb", bound=Callable[..., Awaitable[Any]])

#: The attribute of a verb that says which scope it needs.
SCOPE: Final = "scope"


def needs(scope: Scope) -> Callable[[Verb], Verb]:
    """Let a verb, whose first argument is a Principal, be called by those with `scope` alone.

    Others get PermissionDenied before anything was done.
    """

    def guard(verb: Verb) -> Verb:
        @wraps(verb)
        async def guarded(self: Any, principal: Principal, *args: Any, **kwargs: Any) -> Any:
            principal.require(scope)
            return await verb(self, principal, *args, **kwargs)

        setattr(guarded, SCOPE, scope)
        return cast("Verb", guarded)

    return guard
