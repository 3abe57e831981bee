"""Workspaces, which own everything."""

from __future__ import annotations

from promptpilot import ids
from promptpilot.models import User, Workspace


def personal_workspace(user: User) -> Workspace:
    """Return the row, not yet stored, of the workspace that comes with an account."""
    return Workspace(
        id=ids.new_id(ids.Kind.WORKSPACE),
        name=user.name or user.email,
        owner_id=user.id,
        is_personal=True,
        created_at=user.created_at,
    )
