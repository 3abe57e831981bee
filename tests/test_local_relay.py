"""A relay shows text twenty times a second at most, and keeps nothing that nobody needs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from promptpilot.engine.ports import OutputView
from promptpilot.local_relay import LocalRelay
from tests.support.watching import PLACE, ManualTimers, Secrets


@pytest.fixture
def timers() -> ManualTimers:
    """Give the time, which the test moves."""
    return ManualTimers()


@pytest.fixture
def relay(timers: ManualTimers) -> LocalRelay:
    """Give a relay that lives in that time."""
    return LocalRelay(lambda: timers)


def _seen_in(seconds: int, relay: LocalRelay, timers: ManualTimers) -> list[str]:
    """Return what a watcher sees while a model says a word every millisecond."""
    seen: list[str] = []
    output = relay.open(PLACE, Secrets())

    def look() -> None:
        seen.append(views[0].texts[0])

    with relay.watch(PLACE, look) as view:
        views: list[OutputView] = [view]
        for number in range(seconds * 1000):
            output.append(0, f"{number} ")
            timers.move(0.001)
    return seen


def test_a_fast_model_is_shown_twenty_times_a_second(
    relay: LocalRelay, timers: ManualTimers
) -> None:
    seen = _seen_in(3, relay, timers)

    assert 50 <= len(seen) <= 1 + 3 * 20  # the first one at once
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))


def test_the_first_word_and_one_after_a_rest_are_shown_at_once(
    relay: LocalRelay, timers: ManualTimers
) -> None:
    output = relay.open(PLACE, Secrets())
    for word in ("first ", "second"):
        output.append(0, word)
        timers.move(0)
        assert relay.texts(PLACE)[0].endswith(word)
        timers.move(1)


def test_the_end_is_shown_without_waiting_for_the_next_turn(
    relay: LocalRelay, timers: ManualTimers
) -> None:
    output = relay.open(PLACE, Secrets())
    with relay.watch(PLACE, lambda: None) as view:
        output.append(0, "begin")
        timers.move(0)
        output.append(0, ", end")
        output.close()
        timers.move(0.005)

        assert view.texts == {0: "begin, end"}


@pytest.mark.parametrize("first", ["watcher", "attempt"])
def test_nothing_is_kept_when_the_attempt_and_its_watchers_are_gone(
    first: str, relay: LocalRelay, timers: ManualTimers
) -> None:
    output = relay.open(PLACE, Secrets())
    output.append(0, "text")
    with relay.watch(PLACE, lambda: None):
        if first == "attempt":
            output.close()
            timers.move(1)
    output.close()
    timers.move(1)

    assert len(relay) == 0


def test_what_grew_elsewhere_is_kept_for_those_who_watch_it_only(relay: LocalRelay) -> None:
    with relay.watch(PLACE, lambda: None) as view:
        relay.show(PLACE, {0: "here"})
        relay.show(replace(PLACE, path="1"), {0: "nobody"})

        assert (view.texts, len(relay)) == ({0: "here"}, 1)


def test_an_attempt_that_says_nothing_shows_nothing(
    relay: LocalRelay, timers: ManualTimers
) -> None:
    output = relay.open(PLACE, Secrets())
    output.append(0, "")
    output.close()
    output.close()
    timers.move(1)

    assert len(relay) == 0


def test_catching_up_shows_what_waits_for_its_turn(relay: LocalRelay, timers: ManualTimers) -> None:
    output = relay.open(PLACE, Secrets())
    output.append(0, "soon")

    relay.catch_up(PLACE)

    assert relay.texts(PLACE) == {0: "soon"}
