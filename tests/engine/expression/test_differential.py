"""Proves that generated expressions mean here what they mean in another implementation of CEL.

Both must give the same value, or both must fail, but for the few kinds of difference in
`_explanation`, each of which is wanted here or a quirk of the oracle, and all of which are rare.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import cel
import pytest

from promptpilot.engine.expression import ExpressionFailed, Program
from tests.engine.expression.generator import SCOPE, Generator

_SEEDS = range(16)
_CASES_PER_SEED = 1900
_FLOAT = re.compile(r"input\.[fg]\b|\d?\.\d|1e3")
_STRICT = re.compile(r"&&|\|\||\.all\(|\.exists\(")
_VALUE, _FAILURE = "value", "failure"


@pytest.mark.parametrize("seed", _SEEDS)
def test_generated_expressions_mean_the_same_as_in_cel(seed: int) -> None:
    generator = Generator(seed)
    kinds: Counter[str] = Counter()

    for _ in range(_CASES_PER_SEED):
        kinds[_compared(generator.expression())] += 1

    explained = _CASES_PER_SEED - kinds["same value"] - kinds["both fail"]
    assert kinds["same value"] > _CASES_PER_SEED * 0.4
    assert explained < _CASES_PER_SEED * 0.04, kinds


def test_there_are_at_least_thirty_thousand_cases() -> None:
    assert len(_SEEDS) * _CASES_PER_SEED >= 30_000


def _compared(source: str) -> str:
    ours, theirs = _ours(source), _theirs(source)
    if ours == theirs:
        return "same value"
    if ours[0] == theirs[0] == _FAILURE:
        return "both fail"
    explanation = _explanation(source, ours, theirs)
    assert explanation, f"{source}\n here: {ours}\n CEL: {theirs}"
    return explanation


def _explanation(source: str, ours: tuple[str, str], theirs: tuple[str, str]) -> str:
    """Name why a value in one and a failure in the other is allowed; empty if it is not."""
    if ours[0] == _VALUE:
        return _explain_leniency(source, theirs)
    return _explain_strictness(source, ours) if theirs[0] == _VALUE else ""


def _explain_leniency(source: str, theirs: tuple[str, str]) -> str:
    if theirs[0] == _VALUE:
        return ""
    if "has(input.zz." in source:
        return "has() is false when something on the way is missing"
    if theirs[1].startswith("Undefined variable or function: 'contains'"):
        return "contains() looks into lists, too"
    if _FLOAT.search(source) and theirs[1].startswith(("No such overload", "Unsupported op")):
        return "integers and fractions are one kind of number"
    return ""


def _explain_strictness(source: str, ours: tuple[str, str]) -> str:
    if "-(" in source and ours[1].endswith(("a number, not a bool", "not fit in 64 bits")):
        return "the oracle negates booleans and the smallest integer"
    if "+ does not work on a list and a map" in ours[1]:
        return "the oracle adds the keys of a map to a list"
    if "in asks a map for a string" in ours[1]:
        return "CEL may ask a map for a number or a bool, and never finds it"
    if _STRICT.search(source):
        return "CEL takes the other side of && and || when one fails"
    return ""


def _ours(source: str) -> tuple[str, str]:
    try:
        value = Program(source).evaluate(SCOPE)
    except ExpressionFailed as failed:
        return _FAILURE, failed.message
    return _VALUE, json.dumps(value, sort_keys=True)


def _theirs(source: str) -> tuple[str, str]:
    try:
        value = cel.evaluate(source, SCOPE)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return _FAILURE, str(error)
    return _VALUE, json.dumps(value, sort_keys=True)
