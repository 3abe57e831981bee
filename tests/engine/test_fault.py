"""Proves what a fault is unless told otherwise."""

from __future__ import annotations

from promptpilot.engine.fault import Fault


def test_a_fault_is_an_error_of_no_step() -> None:
    fault = Fault("X", "Mend it.", ("steps",))

    assert (fault.severity, fault.step_name) == ("ERROR", None)
