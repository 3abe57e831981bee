"""Proves what makes an item unique."""

from __future__ import annotations

from tests.support.ledgers import fired_opening, keyed_opening, opening


def test_a_key_a_message_or_nothing_makes_an_opening_unique() -> None:
    assert keyed_opening("k").unique_key == ("key", "ws_1", "start", "k")
    assert fired_opening("d").unique_key == ("firing", "trg_1", "d")
    assert fired_opening(None).unique_key is None
    assert opening().unique_key is None


def test_the_payload_of_a_firing_counts() -> None:
    assert fired_opening().size == len("{}") + len('{"a":1}')
