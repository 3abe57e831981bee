"""What every resolver is given: the engine, who calls, and the loaders of this one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import strawberry

from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal
from promptpilot.errors import Unauthenticated
from promptpilot.schema.loaders import Loaders


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one operation, or of one event of a subscription; never shared by two."""

    engine: Engine
    principal: Principal | None
    loaders: Loaders

    @classmethod
    def of(cls, engine: Engine, principal: Principal | None) -> Context:
        """Make a context with fresh loaders; `principal` is None when nobody is signed in."""
        return cls(engine, principal, Loaders(principal, engine.parts.versions))

    def require(self) -> Principal:
        """Return who calls; raise Unauthenticated when nobody is signed in."""
        if self.principal is None:
            raise Unauthenticated("Sign in first: send the header Authorization: Bearer <token>.")
        return self.principal


Info: TypeAlias = strawberry.Info[Context, None]
