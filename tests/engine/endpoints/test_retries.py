"""Proves that retries come as Standard Webhooks proposes, and no earlier than a receiver asks."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.endpoints.retries import DELAYS, next_delay

DAY = timedelta(days=1)
TRIES = st.integers(1, len(DELAYS))
CHANCE = st.floats(0, 1)


def test_ten_tries_take_about_three_days() -> None:
    delays = [next_delay(tries, None, 0.0) for tries in range(1, 11)]

    assert delays == [*DELAYS, None]
    assert timedelta(days=3) < sum(DELAYS, timedelta()) < timedelta(days=4)


@given(TRIES, CHANCE)
def test_chance_makes_a_delay_longer_by_a_tenth_at_most(tries: int, chance: float) -> None:
    delay = next_delay(tries, None, chance)

    assert delay is not None
    assert DELAYS[tries - 1] <= delay <= DELAYS[tries - 1] * 1.1


@given(TRIES, CHANCE, st.timedeltas(timedelta(), timedelta(days=366)))
def test_what_a_receiver_asks_counts_up_to_a_day(
    tries: int, chance: float, asked: timedelta
) -> None:
    own, delay = next_delay(tries, None, chance), next_delay(tries, asked, chance)

    assert own is not None
    assert delay == max(own, min(asked, DAY))
