"""Semantic version numbers, and how big a change is that makes the next one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChangeType(StrEnum):
    """How big a change is."""

    PATCH = "PATCH"
    MINOR = "MINOR"
    MAJOR = "MAJOR"


@dataclass(frozen=True, slots=True, order=True)
class VersionNumber:
    """A version number `major.minor.patch`."""

    major: int = 1
    minor: int = 0
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def after(self, change: ChangeType) -> VersionNumber:
        """Return the number of the version that a change makes; it is larger than this one."""
        match change:
            case ChangeType.PATCH:
                return VersionNumber(self.major, self.minor, self.patch + 1)
            case ChangeType.MINOR:
                return VersionNumber(self.major, self.minor + 1)
            case ChangeType.MAJOR:
                return VersionNumber(self.major + 1)
