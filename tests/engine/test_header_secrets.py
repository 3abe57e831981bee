"""Proves that secret headers leave a definition, and stay what they are until they are changed."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.header_secrets import Sealed, sealed
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.errors import InvalidInput, InvalidMany
from promptpilot.models import StepSecret
from tests.support.clock import BEGINNING
from tests.support.drafts import transform

VALUE = ("input", "steps", "0", "config", "webhook", "headers", "0", "value")


def seal(text: str) -> StepSecret:
    """Make a row that holds its text as it is."""
    return StepSecret(
        id=ids.new_id(ids.Kind.STEP_SECRET),
        workspace_id="ws_1",
        secret_sealed=text,
        created_at=BEGINNING,
    )


def secret(value: str | None, name: str = "X-Key", **others: Any) -> RequestHeader:
    """Make a secret header of a draft."""
    return RequestHeader(name, value, is_secret=True, **others)


def requesting(*headers: RequestHeader, id: str = "st_1") -> Definition:
    """Make a definition with one step."""
    return Definition((Step("notify", RequestConfig("https://a.example", headers=headers), id=id),))


def save(asked: Definition, before: Definition | None = None) -> Sealed:
    """Seal what is asked."""
    return sealed(asked, before or Definition(), seal)


def headers_of(definition: Definition) -> tuple[RequestHeader, ...]:
    """Return the headers of the only step."""
    config = definition.steps[0].config
    assert isinstance(config, RequestConfig)
    return config.headers


def test_a_value_becomes_the_id_of_a_row() -> None:
    made = save(requesting(secret(" s3cr3t "), RequestHeader("X-Team", "{{ t }}")))

    (row,) = made.rows
    assert row.secret_sealed == "s3cr3t"
    assert headers_of(made.definition) == (
        RequestHeader("X-Key", None, is_secret=True, secret_id=row.id),
        RequestHeader("X-Team", "{{ t }}"),
    )


@pytest.mark.parametrize("name", ["X-Key", "x-KEY"])
def test_without_a_value_the_stored_secret_is_kept(name: str) -> None:
    first = save(requesting(secret("s3cr3t")))

    second = save(requesting(secret(None, name)), first.definition)

    assert second.rows == ()
    assert headers_of(second.definition)[0].secret_id == first.rows[0].id


def test_a_new_value_gets_a_new_row() -> None:
    first = save(requesting(secret("old")))

    second = save(requesting(secret("new")), first.definition)

    assert headers_of(second.definition)[0].secret_id == second.rows[0].id != first.rows[0].id


def test_what_is_saved_again_as_it_is_stays_the_same() -> None:
    first = save(requesting(secret("s3cr3t"), RequestHeader("X-Team", "blue")))

    assert save(first.definition, first.definition) == Sealed(first.definition, ())


def test_a_draft_cannot_choose_a_secret() -> None:
    first = save(requesting(secret("mine")))
    stolen = secret(None, secret_id="sec_of_somebody")
    in_the_open = RequestHeader("X-Open", "a", secret_id="sec_of_somebody")

    second = save(requesting(stolen, in_the_open), first.definition)

    assert [each.secret_id for each in headers_of(second.definition)] == [first.rows[0].id, None]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (secret(None), "no stored secret; give its value"),
        (secret(None, "X-Key", secret_id="sec_1"), "no stored secret; give its value"),
        (RequestHeader("X-Key"), "needs a value"),
        (secret(""), "must not be empty"),
        (secret(" "), "must not be empty"),
        (secret("hush\r\nX-Evil: 1"), "line breaks"),
        (secret("hush é"), "visible ASCII"),
        (secret("hush" * 4000), "more than 8192 characters"),
    ],
)
def test_a_header_without_a_usable_value_is_refused(header: RequestHeader, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        save(requesting(header))

    assert refused.value.path == VALUE
    assert "hush" not in refused.value.message


def test_a_secret_that_is_to_be_shown_needs_a_value() -> None:
    first = save(requesting(secret("s3cr3t")))

    with pytest.raises(InvalidInput, match="only a stored secret can be kept"):
        save(requesting(RequestHeader("X-Key")), first.definition)


def test_the_secret_of_another_step_is_not_kept() -> None:
    first = save(requesting(secret("s3cr3t"), id="st_1"))

    with pytest.raises(InvalidInput, match="no stored secret"):
        save(requesting(secret(None), id="st_2"), first.definition)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidMany) as refused:
        save(requesting(secret(None), RequestHeader("X-Team", "a"), RequestHeader("X-Other")))

    assert [fault.path[-2] for fault in refused.value.errors] == ["0", "2"]


def test_other_steps_stay_as_they_are() -> None:
    definition = Definition((transform("a"),))

    assert save(definition).definition == definition
