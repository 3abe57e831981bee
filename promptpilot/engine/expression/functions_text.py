"""Functions on strings. Every one is linear in its text and pays for it before it starts."""

from __future__ import annotations

from typing import Any, Final

from promptpilot.engine.expression.failures import Unfit, over_budget
from promptpilot.engine.expression.limits import MAX_TEXT_BYTES
from promptpilot.engine.expression.run import Run, bounded_text, check_item_count
from promptpilot.engine.expression.signature import Function, want_list, want_text
from promptpilot.engine.expression.values import described, display_text, is_among, kind_of


def _lower(run: Run, text: Any) -> str:
    whole = want_text(text)
    run.charge_text(len(whole))
    return bounded_text(whole.lower())


def _upper(run: Run, text: Any) -> str:
    whole = want_text(text)
    run.charge_text(len(whole))
    return bounded_text(whole.upper())


def _trim(run: Run, text: Any) -> str:
    whole = want_text(text)
    run.charge_text(len(whole))
    return bounded_text(whole.strip())


def _split(run: Run, text: Any, separator: Any) -> list[str]:
    whole, cut = want_text(text), want_text(separator)
    run.charge_text(len(whole))
    count = whole.count(cut) + 1 if cut else len(whole)
    check_item_count(count)
    run.charge(count)
    return whole.split(cut) if cut else list(whole)


def _join(run: Run, items: Any, separator: Any = "") -> str:
    glue = want_text(separator)
    pieces = [_piece(run, item) for item in want_list(items)]
    length = sum(map(len, pieces)) + len(glue) * max(len(pieces) - 1, 0)
    _check_length(run, length)
    return bounded_text(glue.join(pieces))


def _piece(run: Run, item: Any) -> str:
    run.charge(1)
    if kind_of(item) not in {"string", "number", "bool"}:
        raise Unfit(f"strings, numbers and bools can be joined, not {described(item)}")
    return display_text(item)


def _replace(run: Run, text: Any, old: Any, new: Any) -> str:
    whole, search, instead = want_text(text), want_text(old), want_text(new)
    run.charge_text(len(whole))
    length = len(whole) + whole.count(search) * (len(instead) - len(search))
    _check_length(run, length)
    return bounded_text(whole.replace(search, instead))


def _check_length(run: Run, characters: int) -> None:
    if characters > MAX_TEXT_BYTES:
        raise over_budget(f"a string is longer than {MAX_TEXT_BYTES} bytes")
    run.charge_text(characters)


def _starts_with(run: Run, text: Any, start: Any) -> bool:
    run.charge_text(len(want_text(start)))
    return want_text(text).startswith(start)


def _ends_with(run: Run, text: Any, end: Any) -> bool:
    run.charge_text(len(want_text(end)))
    return want_text(text).endswith(end)


def _contains(run: Run, whole: Any, part: Any) -> bool:
    if kind_of(whole) == "list":
        return is_among(run, part, whole)
    text = want_text(whole)
    run.charge_text(len(text))
    return want_text(part) in text


def _glob(run: Run, text: Any, pattern: Any) -> bool:
    whole = want_text(text)
    first, *others = want_text(pattern).split("*")
    run.charge_text(len(whole) + len(pattern))
    if not others:
        return len(whole) == len(first) and _fits(run, whole, first, 0)
    *middle, last = others
    tail = len(whole) - len(last)
    if tail < len(first) or not _fits(run, whole, first, 0) or not _fits(run, whole, last, tail):
        return False
    return _has_in_order(run, whole[len(first) : tail], middle)


def _has_in_order(run: Run, text: str, segments: list[str]) -> bool:
    position = 0
    for segment in segments:
        found = _find(run, text, segment, position)
        if found < 0:
            return False
        position = found + len(segment)
    return True


def _find(run: Run, text: str, segment: str, position: int) -> int:
    run.charge(1)
    if "?" not in segment:
        return text.find(segment, position)
    candidates = range(position, len(text) - len(segment) + 1)
    return next((start for start in candidates if _fits(run, text, segment, start)), -1)


def _fits(run: Run, text: str, segment: str, start: int) -> bool:
    if "?" not in segment:
        return text.startswith(segment, start)
    run.charge(len(segment))
    here = text[start : start + len(segment)]
    return all(wanted in {"?", found} for wanted, found in zip(segment, here, strict=True))


TEXT_FUNCTIONS: Final = (
    Function("lower(text)", 1, 1, _lower),
    Function("upper(text)", 1, 1, _upper),
    Function("trim(text)", 1, 1, _trim),
    Function("split(text, separator)", 2, 2, _split),
    Function("join(list, separator)", 1, 2, _join),
    Function("replace(text, old, new)", 3, 3, _replace),
    Function("startsWith(text, start)", 2, 2, _starts_with),
    Function("endsWith(text, end)", 2, 2, _ends_with),
    Function("contains(text, part)", 2, 2, _contains),
    Function("glob(text, pattern)", 2, 2, _glob),
)
