"""What every list and every object has in common."""

from __future__ import annotations

from datetime import datetime

import strawberry


@strawberry.interface(
    description=(
        "An object with a globally unique id that can be fetched again through `Query.node`."
    )
)
class Node:
    """An object with a globally unique id that can be fetched again through `Query.node`."""

    id: strawberry.ID = strawberry.field(
        description=(
            "Opaque, stable, globally unique. Typed prefix plus UUIDv7 in base32"
            " (`wf_06ew…`): sorts by creation time, says what it is in logs."
        )
    )


@strawberry.type(description="Where a page sits in its list (Relay cursor connections).")
class PageInfo:
    """Where a page sits in its list (Relay cursor connections)."""

    has_next_page: bool = strawberry.field(description="More items follow this page.")
    has_previous_page: bool = strawberry.field(description="Items precede this page.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first edge; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last edge; null on an empty page."
    )


@strawberry.input(description="A half-open time range: `from` <= t < `until`.")
class DateTimeRange:
    """A half-open time range: `from` <= t < `until`."""

    since: datetime | None = strawberry.field(
        name="from", default=strawberry.UNSET, description="Inclusive lower bound."
    )
    until: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Exclusive upper bound."
    )
