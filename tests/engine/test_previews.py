"""Proves that a preview has the shape of its value, at most the bytes it may, and takes no time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.previews import INLINE_BYTES, PREVIEW_BYTES, cut

texts = st.text(max_size=80) | st.text('"\\\n\x00é😀', max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars | st.integers(0, 5).map(lambda size: 10 ** (100 * size)),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=30,
)
limits = st.integers(5, 400)


def size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def nested(inner: Any, levels: int) -> Any:
    for _ in range(levels):
        inner = [inner, 1]
    return inner


def is_beginning(preview: Any, value: Any) -> bool:
    """Tell whether `preview` is `value` with shorter texts, lists and objects."""
    if isinstance(preview, str) and preview.endswith("…"):
        text = value if isinstance(value, str) else json.dumps(value)
        return text.startswith(preview[:-1])
    if isinstance(preview, list) and isinstance(value, list):
        return all(map(is_beginning, preview, value)) and len(preview) <= len(value)
    if isinstance(preview, dict) and isinstance(value, dict):
        is_leading = list(preview) == list(value)[: len(preview)]
        return is_leading and all(is_beginning(preview[key], value[key]) for key in preview)
    return type(preview) is type(value) and bool(preview == value)


@given(values, limits)
def test_a_preview_never_has_more_bytes_than_it_may(value: Any, limit: int) -> None:
    assert size(cut(value, limit)) <= limit


@given(values, limits)
def test_a_preview_is_a_beginning_of_the_value(value: Any, limit: int) -> None:
    assert is_beginning(cut(value, limit), value)


@given(values, limits)
def test_what_fits_is_the_value_itself_and_nothing_else_is(value: Any, limit: int) -> None:
    assert (cut(value, limit) is value) == (size(value) <= limit)


@given(st.text(min_size=1, max_size=300), st.integers(9, 100))
def test_of_a_long_text_as_much_stays_as_there_is_room(text: str, limit: int) -> None:
    preview = cut(text, limit)

    assert preview == text or size(preview[:-1] + text[len(preview) - 1] + "…") > limit


@given(st.integers(5, 40))
def test_a_pair_of_surrogates_is_not_cut_in_two(limit: int) -> None:
    preview = cut("\ud83d\ude00" * 20, limit)

    assert preview == "\ud83d\ude00" * (len(preview) // 2) + "…"


@pytest.mark.parametrize("value", [[], {}, "", None, True, 0, -1.5, "text", {"a": [1, {"b": "c"}]}])
def test_small_values_stay(value: Any) -> None:
    assert cut(value) is value


def test_small_neighbours_of_a_long_text_stay_whole() -> None:
    response = {"status": 200, "body": "x" * 10**6, "headers": {"content-type": "text/plain"}}

    preview = cut(response)

    assert {**preview, "body": ""} == {**response, "body": ""}
    assert size(preview) == PREVIEW_BYTES
    assert preview["body"] == "x" * (len(preview["body"]) - 1) + "…"


def test_long_texts_share_the_room_evenly() -> None:
    preview = cut({"a": "x" * 9000, "b": "short", "c": "y" * 9000})

    assert abs(len(preview["a"]) - len(preview["c"])) <= 1
    assert size(preview) > PREVIEW_BYTES - 10


def test_of_a_long_list_the_leading_items_stay() -> None:
    numbers = list(range(100_000))

    preview = cut(numbers)

    assert preview == numbers[: len(preview)]
    assert size(preview) > PREVIEW_BYTES - 100


def test_of_many_large_items_each_shows_its_beginning() -> None:
    preview = cut([{"name": f"item {number}", "text": "x" * 500} for number in range(1000)])

    assert [item["name"] for item in preview] == [f"item {n}" for n in range(len(preview))]
    assert len(preview) > 40


def test_a_key_without_room_ends_the_object() -> None:
    assert cut({"a": 1, "k" * 5000: 2, "c": 3}) == {"a": 1}


def test_sixty_four_levels_are_shown_to_the_last() -> None:
    preview = cut(nested("x" * 5000, 64))

    assert json.dumps(preview).count(", 1]") == 64
    assert size(preview) == PREVIEW_BYTES


@pytest.mark.parametrize("deepest", [[], {}])
def test_greater_depth_is_cut(deepest: Any) -> None:
    too_deep = nested("x" * 5000, 900) if deepest == [] else {"a": "x" * 5000}

    assert cut(nested(too_deep, 64)) == nested(deepest, 64)


def test_a_number_without_room_becomes_a_text() -> None:
    assert cut(10**100, 20) == "100000000000000…"


@pytest.mark.parametrize(
    "value",
    ["x" * 50_000_000, ["x"] * 5_000_000, [["x" * 100] * 50] * 100_000, {"a": ["\x00" * 10**7]}],
)
def test_the_time_does_not_depend_on_the_value(value: Any) -> None:
    start = time.process_time()

    cut(value)

    assert time.process_time() - start < 0.5


def test_a_limit_without_room_for_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 bytes, not 4"):
        cut("text", 4)


def test_a_preview_is_much_smaller_than_what_is_kept_inline() -> None:
    assert PREVIEW_BYTES < INLINE_BYTES
