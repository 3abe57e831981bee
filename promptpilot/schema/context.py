"""What every resolver is given: the engine, who calls, and the loaders of this one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import strawberry

from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal, Scope
from promptpilot.errors import Unauthenticated
from promptpilot.front.limits import Limits
from promptpilot.schema.loaders import Loaders
from promptpilot.schema.together import Together


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one operation, or of one event of a subscription; never shared by two."""

    engine: Engine
    principal: Principal | None
    loaders: Loaders
    together: Together
    #: The network address of the caller, if it is known.
    address: str | None = None
    #: What one operation may cost.
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(
        cls,
        engine: Engine,
        principal: Principal | None,
        address: str | None = None,
        limits: Limits | None = None,
    ) -> Context:
        """Make a context with fresh loaders; `principal` is None when nobody is signed in."""
        loaders = Loaders(principal, engine.parts.versions, engine.parts.readiness)
        together = Together(engine.database)
        return cls(engine, principal, loaders, together, address, limits or Limits())

    def require(self, scope: Scope = Scope.READ) -> Principal:
        """Return who calls.

        Raises Unauthenticated when nobody is signed in, and PermissionDenied for an access token
        that is not good for `scope`.
        """
        if self.principal is None:
            raise Unauthenticated("Sign in first: send the header Authorization: Bearer <token>.")
        self.principal.require(scope)
        return self.principal


Info: TypeAlias = strawberry.Info[Context, None]
