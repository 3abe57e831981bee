"""The ledger's statements, one file per dialect, each named and explained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

from promptpilot.models.address import Dialect

_HEAD = re.compile(r"^-- (\w+): .*$", re.MULTILINE)


@cache
def statements(dialect: Dialect) -> Mapping[str, str]:
    """Return the statements of a dialect by name."""
    text = resources.files(__package__).joinpath(f"{dialect}.sql").read_text("utf-8")
    parts = _HEAD.split(text)
    return {
        name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
