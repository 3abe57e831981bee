"""Describes the engine's enumerations to clients."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

E = TypeVar("E", bound=type[StrEnum])


def described(enum: E, name: str, description: str, **members: str) -> E:
    """Make `enum` an enumeration of the API with the members that are described."""
    strawberry.enum(enum, name=name, description=description)
    shown: StrawberryEnumDefinition = vars(enum)["__strawberry_definition__"]
    shown.values = [value for value in shown.values if value.name in members]
    for value in shown.values:
        value.description = members[value.name]
    return enum
