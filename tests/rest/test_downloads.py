"""Proves that so many downloads are open at a time, of one caller and of all, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from promptpilot.errors import RateLimited
from promptpilot.rest.downloads import Downloads
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


async def _file() -> Response:
    return Response(b"{}")


async def _missing() -> Response:
    raise LookupError


async def _send(message: Any) -> None:
    """Take what is sent."""


async def test_one_caller_waits_until_a_download_is_sent(clock: ManualClock) -> None:
    downloads = Downloads(most_of_one=1, most=9)
    first = await downloads.hold("ada", clock, _file)
    with pytest.raises(RateLimited) as refused:
        await downloads.hold("ada", clock, _file)

    await first({"type": "http"}, _nothing, _send)

    assert refused.value.retry_after > clock.now()
    assert (await downloads.hold("ada", clock, _file)).status_code == 200


async def test_all_callers_together_have_a_limit(clock: ManualClock) -> None:
    downloads = Downloads(most_of_one=2, most=2)
    await downloads.hold("ada", clock, _file)
    await downloads.hold("eve", clock, _file)

    with pytest.raises(RateLimited):
        await downloads.hold("bob", clock, _file)


async def test_what_is_not_there_takes_no_place(clock: ManualClock) -> None:
    downloads = Downloads(most_of_one=1, most=1)

    with pytest.raises(LookupError):
        await downloads.hold("ada", clock, _missing)

    assert (await downloads.hold("ada", clock, _file)).body == b""


async def _nothing() -> Any:
    raise AssertionError("Nothing is read of the caller.")
