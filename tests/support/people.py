"""Users with a workspace, made without the cost of hashing a password."""

from __future__ import annotations

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.principal import Principal, Role
from promptpilot.models import User, Workspace


async def make_principal(name: str, clock: Clock, role: Role = Role.USER) -> Principal:
    """Store a user called `name` with a personal workspace; nobody can sign in as them."""
    address = f"{name}@example.org"
    user = await User.create(
        id=ids.new_id(ids.Kind.USER),
        email=address,
        email_key=address,
        name=name,
        role=role.value,
        password_hash="!",
        created_at=clock.now(),
    )
    workspace = await Workspace.create(
        id=ids.new_id(ids.Kind.WORKSPACE),
        name=name,
        owner_id=user.id,
        is_personal=True,
        created_at=clock.now(),
    )
    return Principal(user.id, workspace.id, role)
