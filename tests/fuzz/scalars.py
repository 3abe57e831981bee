"""What schemathesis is to write for the scalars of this API: any value that one may hold."""

from __future__ import annotations

from collections.abc import Sequence

import schemathesis.graphql
from graphql import NameNode, NullValueNode, ObjectFieldNode, ValueNode
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from schemathesis.graphql import nodes

_LARGEST_SAFE = 2**53 - 1
_OFFSETS = st.sampled_from(["Z", "+00:00", "-11:30", "+14:00"])
#: NUL is the one character that JSON of this API may not hold.
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_NAMES = st.from_regex(r"[_A-Za-z][_0-9A-Za-z]{0,8}", fullmatch=True)

_STRINGS: dict[str, SearchStrategy[str]] = {
    "CronExpression": st.sampled_from(["* * * * *", "0 9 * * 1-5", "0 0 29 2 *", "59 23 31 12 0"]),
    "DateTime": st.builds(
        lambda instant, offset: f"{instant.isoformat()}{offset}", st.datetimes(), _OFFSETS
    ),
    "Decimal": st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str),
    "Expression": st.sampled_from(["true", "1 + 1 == 2", "payload.n > 3", "steps.a.output.n"]),
    "TimeZone": st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"]),
    # Only addresses that nobody listens at: nothing leaves this machine.
    "URL": st.sampled_from(["http://127.0.0.1:9/", "http://[::1]:9/a?b=c", "http://127.0.0.1:9"]),
}


def register(ids: Sequence[str]) -> None:
    """Tell schemathesis what to write; `ids` are those of objects that are there."""
    for name, texts in _STRINGS.items():
        schemathesis.graphql.scalar(name, texts.map(nodes.String))
    schemathesis.graphql.scalar("ID", (st.sampled_from(ids) | _TEXTS).map(nodes.String))
    small = st.integers(-2, 12) | st.integers(-(2**31), 2**31 - 1)
    schemathesis.graphql.scalar("Int", small.map(nodes.Int))
    safe = st.integers(-_LARGEST_SAFE, _LARGEST_SAFE)
    schemathesis.graphql.scalar("SafeInt", safe.map(nodes.Int))
    schemathesis.graphql.scalar("JSON", _values())
    schemathesis.graphql.scalar("JSONObject", _objects(_values()))


def _values() -> SearchStrategy[ValueNode]:
    leaves = st.one_of(
        st.just(NullValueNode()),
        st.booleans().map(nodes.Boolean),
        st.integers(-(2**70), 2**70).map(nodes.Int),
        st.floats(allow_nan=False, allow_infinity=False).map(nodes.Float),
        _TEXTS.map(nodes.String),
    )
    return st.recursive(
        leaves, lambda inner: _objects(inner) | st.lists(inner, max_size=3).map(nodes.List)
    )


def _objects(inner: SearchStrategy[ValueNode]) -> SearchStrategy[ValueNode]:
    def made(members: dict[str, ValueNode]) -> ValueNode:
        pairs = members.items()
        return nodes.Object(
            [ObjectFieldNode(name=NameNode(value=name), value=value) for name, value in pairs]
        )

    return st.dictionaries(_NAMES, inner, max_size=3).map(made)
