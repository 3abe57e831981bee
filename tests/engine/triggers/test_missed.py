"""Proves what runs and what is left out of the times that passed while no scheduler ran."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.triggers.kinds import MissedRunPolicy
from promptpilot.engine.triggers.missed import LATE_AFTER, MAX_RUNS, sort_out
from tests.support.clock import BEGINNING as NOW

AGES = st.lists(st.integers(0, 86_400), max_size=300, unique=True)
LIMITS = {MissedRunPolicy.SKIP: 0, MissedRunPolicy.RUN_ONCE: 1, MissedRunPolicy.RUN_ALL: MAX_RUNS}


def ago(*seconds: int) -> list[datetime]:
    """Return instants so long before now, in their order."""
    return sorted(NOW - timedelta(seconds=each) for each in seconds)


@given(AGES, st.sampled_from(MissedRunPolicy))
def test_every_time_is_left_out_or_runs_and_the_newest_run(
    ages: list[int], policy: MissedRunPolicy
) -> None:
    instants = ago(*ages)

    backlog = sort_out(instants, NOW, policy)

    assert [*backlog.missed, *backlog.runs] == instants
    late = [instant for instant in instants if NOW - instant > LATE_AFTER]
    assert len(backlog.missed) == max(len(late) - LIMITS[policy], 0)


@pytest.mark.parametrize("policy", MissedRunPolicy)
def test_what_is_on_time_runs_under_every_policy(policy: MissedRunPolicy) -> None:
    instants = ago(0, 60)

    backlog = sort_out(instants, NOW, policy)

    assert (list(backlog.runs), backlog.missed) == (instants, ())


def test_a_second_more_is_late() -> None:
    assert sort_out(ago(61), NOW, MissedRunPolicy.SKIP).runs == ()
