"""Proves that bells are rung by the few modules that know when a transaction has closed."""

from __future__ import annotations

import ast

from tests.architecture.source import modules, name_of, tree_of

_RINGERS = {
    "promptpilot/engine/api.py",  # a start, a cancellation
    "promptpilot/engine/holder.py",  # a step that began, waits or ended
    "promptpilot/engine/runner.py",  # more is due than there are slots
    "promptpilot/engine/solo.py",  # a child that died
    "promptpilot/engine/rescue.py",  # what nobody was rung for
    "promptpilot/engine/triggers/dispatch.py",  # what an event started
    "promptpilot/engine/triggers/overlap.py",  # what the next time of a schedule cancelled
    "promptpilot/engine/triggers/scheduler.py",  # what a schedule started
}


def test_bells_are_rung_in_few_modules_of_the_engine_and_its_edges() -> None:
    places = modules("promptpilot/engine", "promptpilot/schema", "promptpilot/rest")

    ringing = {name_of(path) for path in places if _rings(tree_of(path))}

    assert ringing <= _RINGERS


def _rings(tree: ast.Module) -> bool:
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(isinstance(each, ast.Attribute) and each.attr in {"wake", "ring"} for each in called)
