"""Proves that templates render in one pass, keep types where asked, and name what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.expression import ExpressionFailed, ExpressionSyntaxError, Reference
from promptpilot.engine.template import parse_template, render_json, templates_in
from tests.engine.expression.cases import unhurried

_SCOPE: Final[dict[str, Any]] = {
    "input": {"x": 1, "name": "Ada", "only": "in", "evil": "{{ input.secret }}", "secret": "s3"},
    "vars": {"name": "Bob", "nil": None},
    "steps": {"draft": {"output": {"text": "hi"}}},
}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("plain } }} { text", "plain } }} { text"),
        ("Dear {{ input.name }}!", "Dear Ada!"),
        ("{{steps.draft.output.text}}{{ input.x }}", "hi1"),
        ("{{ 1.5 }} {{ true }} {{ null }}", "1.5 true null"),
        ("{{ [1, 'é'] }} {{ {'b': {'a': 1}}}}", '[1,"é"] {"b":{"a":1}}'),
        ("\\{{ input.x }} {{ input.x }}", "{{ input.x }} 1"),
        ("\\\\{{ x }}", "\\{{ x }}"),
        ("{{ input.x }}\\{{", "1{{"),
        ("\\ {{ input.x }}", "\\ 1"),
        ("{{ '}}' }}{{ \"{{\" }}", "}}{{"),
        ("{{\n input.x\n}}", "1"),
        ("{{ name }} {{only}}", "Bob in"),
        ("{{ nil }}", "null"),
        ("a{{ '' }}b", "ab"),
        ("{{ now }}", "2026-01-02T03:04:05.000000Z"),
    ],
)
def test_a_text_renders_with_its_values(text: str, rendered: str) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert parse_template(text).render_text(_SCOPE, now) == rendered


@unhurried
@given(st.text("{} \\input.secret", max_size=40))
def test_what_a_value_renders_to_is_never_looked_at_again(value: str) -> None:
    scope = {"input": {"x": value, "secret": "s3"}, "vars": {"y": value}}

    assert parse_template("<{{ input.x }}|{{ y }}>").render_text(scope) == f"<{value}|{value}>"


def test_a_value_with_a_placeholder_comes_out_as_it_is() -> None:
    assert parse_template("{{ input.evil }}").render_value(_SCOPE) == "{{ input.secret }}"
    assert render_json(["a {{ evil }}"], _SCOPE) == ["a {{ input.secret }}"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ input.x }}", 1),
        ("{{ [input.x] }}", [1]),
        ("{{ nil }}", None),
        (" {{ input.x }}", " 1"),
        ("{{ input.x }}{{ input.x }}", "11"),
        ("text", "text"),
    ],
)
def test_a_field_that_is_one_placeholder_keeps_its_type(text: str, value: object) -> None:
    assert parse_template(text).render_value(_SCOPE) == value


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("{{ input.zz }}", "TEMPLATE_UNRESOLVED", '{{ input.zz }}: input has no field "zz"'),
        ("a {{ zz }}", "TEMPLATE_UNRESOLVED", "{{ zz }}: there is no variable and no input"),
        ("{{ steps.other.output }}", "TEMPLATE_UNRESOLVED", "{{ steps.other.output }}: steps has"),
        ("{{ 1 / 0 }}", "EXPRESSION_ERROR", "{{ 1 / 0 }}: 1 / 0: division by zero"),
        ("{{ big }}{{ big }}", "EXPRESSION_BUDGET", "the rendered text is longer than"),
        ("{{ [big] }}!", "EXPRESSION_BUDGET", "too much text"),
    ],
)
def test_a_failure_names_the_placeholder(text: str, code: str, message: str) -> None:
    scope = {**_SCOPE, "vars": {"big": "x" * 600_000}}
    scope["vars"]["big"] *= 2 if "[" in text else 1

    with pytest.raises(ExpressionFailed) as caught:
        parse_template(text.replace("[big]", "[vars.big]")).render_text(scope)

    assert caught.value.error_code == code
    assert message in caught.value.message


def test_a_bare_name_needs_no_scope_to_fail_well() -> None:
    with pytest.raises(ExpressionFailed, match="no input named anything"):
        parse_template("{{ anything }}").render_text({"vars": None})


def test_the_limit_of_a_text_counts_bytes() -> None:
    scope = {"vars": {"half": "é" * (256 * 1024)}}

    assert len(parse_template("{{ half }}{{ half }}").render_text(scope)) == 512 * 1024
    with pytest.raises(ExpressionFailed, match="longer than 1048576 bytes"):
        parse_template("{{ half }}{{ half }}.").render_text(scope)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("{{", 0, "not closed"),
        ("ab {{ input.x", 3, "write \\{{ for the braces"),
        ("{{ input.x } }}", 11, 'found "}"'),
        ("a {{ 1 + }}", 8, "expected a value"),
        ("a {{  1 2 }}", 8, "expected an operator"),
        ("{{}}", 2, "expected a value"),
        ("{{ don't }}", 6, "not closed"),
        ("{{ matches('a') }}", 3, "glob"),
        ("{{ " + "x" * 5000 + " }}", 0, "within 4096 characters"),
    ],
)
def test_a_fault_has_its_position_in_the_whole_text(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionSyntaxError, match=r".") as caught:
        parse_template(text)

    assert caught.value.position == position
    assert message in caught.value.message


@unhurried
@given(st.text("{}\\ab.'\"1 \n/", max_size=60))
def test_any_text_is_a_template_or_a_syntax_error(text: str) -> None:
    try:
        position = len(parse_template(text).text)
    except ExpressionSyntaxError as fault:
        position = fault.position

    assert 0 <= position <= len(text)


@unhurried
@given(st.text("{}\\ab'", max_size=40))
def test_escaped_braces_come_back_as_they_were(text: str) -> None:
    escaped = text.replace("{{", "\\{{")

    if "\\{{" not in text and "{{{" not in text:
        assert parse_template(escaped).render_text({}) == text


def test_references_and_bare_names_are_told_apart() -> None:
    template = parse_template("{{ name }} {{ input.x }} {{ previous }} {{ now }} {{ a.b }} {{ $ }}")

    assert template.bare_names == {"name"}
    assert {reference.path for reference in template.references} == {
        ("input", "x"),
        ("previous",),
        ("a", "b"),
        ("payload",),
    }
    assert Reference(("input", "x"), is_guarded=False, is_dynamic=False) in template.references


def test_a_short_template_is_parsed_once_and_a_long_one_each_time() -> None:
    long = "x" * 20_000

    assert parse_template("{{ a }}!") is parse_template("{{ a }}!")
    assert parse_template(long) is not parse_template(long)


def test_every_string_of_a_json_value_is_rendered_and_no_name_is() -> None:
    value = {"{{ input.x }}": ["{{ input.x }}", 2, None, {"a": "n={{ name }}"}], "b": True}

    rendered = render_json(value, _SCOPE)

    assert rendered == {"{{ input.x }}": [1, 2, None, {"a": "n=Bob"}], "b": True}


def test_a_json_value_renders_to_a_bounded_size() -> None:
    scope = {"input": {"big": "x" * 1_000_000}}

    with pytest.raises(ExpressionFailed, match="characters of text") as caught:
        render_json(["a{{ input.big }}"] * 10, scope)

    assert caught.value.error_code == "EXPRESSION_BUDGET"


def test_a_json_value_has_a_bounded_depth() -> None:
    value = json.loads("[" * 300 + "]" * 300)

    with pytest.raises(ExpressionFailed, match="nested deeper than 128 levels"):
        render_json(value, {})


def test_the_templates_of_a_value_come_with_their_paths() -> None:
    value = {"a": ["x", {"b": "{{ input.x }}"}], "c": 1, "d": "{{ name }}"}

    found = [(path, template.text) for path, template in templates_in(value)]

    assert found == [
        (("a", "0"), "x"),
        (("a", "1", "b"), "{{ input.x }}"),
        (("d",), "{{ name }}"),
    ]


def test_a_fault_in_a_value_has_the_path_of_its_string() -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        list(templates_in({"a": ["ok", "{{ 1 + }}"]}))

    assert caught.value.path == ("a", "1")


@pytest.mark.parametrize(
    ("text", "leading", "is_literal"),
    [
        ("", "", True),
        ("a\\{{b", "a{{b", True),
        ("a {{ x }} b", "a ", False),
        ("{{ x }} b", "", False),
    ],
)
def test_a_template_knows_what_every_rendering_begins_with(
    text: str, leading: str, *, is_literal: bool
) -> None:
    template = parse_template(text)

    assert (template.leading_text, template.is_literal) == (leading, is_literal)
