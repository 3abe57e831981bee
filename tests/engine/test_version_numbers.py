"""Proves that every change makes a larger number, and which part of it grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.version_numbers import ChangeType, VersionNumber

PARTS = st.integers(0, 1000)
NUMBERS = st.builds(VersionNumber, PARTS, PARTS, PARTS)


@given(NUMBERS, st.sampled_from(ChangeType))
def test_the_next_number_is_larger(number: VersionNumber, change: ChangeType) -> None:
    assert number.after(change) > number


@pytest.mark.parametrize(
    ("change", "number"),
    [(ChangeType.PATCH, "1.2.4"), (ChangeType.MINOR, "1.3.0"), (ChangeType.MAJOR, "2.0.0")],
)
def test_smaller_parts_begin_again(change: ChangeType, number: str) -> None:
    assert str(VersionNumber(1, 2, 3).after(change)) == number
