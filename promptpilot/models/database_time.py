"""How each database is asked what time it is, so that processes whose clocks differ agree.

Units: epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptpilot.models.address import Dialect

#: An expression of SQL.
NOW_MS: Final[Mapping[Dialect, str]] = {
    # In a query of its own, so that it is asked once and an index can be searched for it.
    Dialect.POSTGRES: "(SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint)",
    # SQLite counts in milliseconds itself; rounding undoes what the fraction of a day has lost.
    Dialect.SQLITE: "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
}
