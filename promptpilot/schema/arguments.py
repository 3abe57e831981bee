"""The one argument that every mutation has."""

from __future__ import annotations

from typing import Final

import strawberry

#: Marks the argument `input`.
ARGUMENTS: Final = strawberry.argument(description="Arguments.")
