"""Pages of an execution's events. Their cursors are the ones of the live feed."""

from __future__ import annotations

from functools import partial

from promptpilot.engine.feed import decode_cursor, encode_cursor
from promptpilot.errors import InvalidInput
from promptpilot.models import ExecutionEvent
from promptpilot.schema.paging import Edge, Page, PageRequest, cut, foreign_cursor


async def event_page(execution_id: str, request: PageRequest) -> Page[ExecutionEvent]:
    """Return the page of events that is asked for; raise InvalidInput for a wrong request."""
    size = request.size
    events = ExecutionEvent.filter(execution_id=execution_id)
    wanted = events
    if request.after is not None:
        wanted = wanted.filter(seq__gt=_position(execution_id, request.after, "after"))
    if request.before is not None:
        wanted = wanted.filter(seq__lt=_position(execution_id, request.before, "before"))
    ordered = wanted.order_by("-seq" if request.is_backward else "seq").limit(size + 1)
    found = await request.reader.rows(ordered)
    edges = [Edge(encode_cursor(execution_id, event.seq), event) for event in found[:size]]
    return cut(
        edges,
        request,
        has_more=len(found) > size,
        count=partial(request.reader.count, events, None),
    )


def _position(execution_id: str, cursor: str, name: str) -> int:
    try:
        return decode_cursor(execution_id, cursor)
    except InvalidInput:
        raise foreign_cursor(cursor, name) from None
