"""How measurements are shown."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table


def show(title: str, rows: Mapping[str, str]) -> None:
    """Print what was measured."""
    table = Table(title=title)
    table.add_column("what")
    table.add_column("measured", justify="right")
    for what, measured in rows.items():
        table.add_row(what, measured)
    Console().print(table)


def mib(size: float) -> str:
    """Return a size in bytes as it is shown."""
    return f"{max(0.0, size) / 2**20:.1f} MiB"
