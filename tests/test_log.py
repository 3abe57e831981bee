"""Proves that our lines and the libraries' come out in one form, and that no secret comes out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from promptpilot import log
from promptpilot.engine.vault import Secret
from promptpilot.settings import LogFormat, LogLevel

TOKEN = f"pp_01234567_{'a' * 43}"
LIBRARIES = ["uvicorn", "uvicorn.access", "arq", "arq.worker", "tortoise", "tortoise.db_client"]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def output() -> io.StringIO:
    stream = io.StringIO()
    log.configure(LogLevel.INFO, LogFormat.JSON, stream)
    return stream


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def refuse(text: str) -> None:
    raise ValueError(f"refused {text}")


def test_a_line_has_its_event_level_place_and_fields(output: io.StringIO) -> None:
    structlog.get_logger("promptpilot.engine").info("step.completed", step_key="a", attempt=1)

    (line,) = lines(output)
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    assert line == {
        "event": "step.completed",
        "level": "info",
        "logger": "promptpilot.engine",
        "step_key": "a",
        "attempt": 1,
    }


def test_a_line_of_a_library_has_the_same_form(output: io.StringIO) -> None:
    logging.getLogger("some.library").info("listening on %s", 8000)

    (line,) = lines(output)
    assert (line["event"], line["level"]) == ("listening on 8000", "info")
    assert {"timestamp", "logger"} <= line.keys()


def test_fields_of_the_context_are_on_every_line(output: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(execution_id="ex_1")

    structlog.get_logger().info("execution.claimed")
    logging.getLogger("some.library").info("hello")

    assert [line["execution_id"] for line in lines(output)] == ["ex_1", "ex_1"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_talkative_library_is_heard_from_warnings_on(output: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("not of interest")
    logging.getLogger(name).warning("of interest")

    assert [line["event"] for line in lines(output)] == ["of interest"]


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    log.configure(LogLevel.ERROR, LogFormat.JSON, stream)

    structlog.get_logger().warning("a.warning")
    logging.getLogger("arq").warning("a warning")
    structlog.get_logger().error("an.error")

    assert [line["event"] for line in lines(stream)] == ["an.error"]


def test_a_console_line_can_be_read_by_people() -> None:
    stream = io.StringIO()
    log.configure(LogLevel.INFO, LogFormat.CONSOLE, stream)

    structlog.get_logger("promptpilot").info("step.completed", step_key="a", password="hunter2")

    assert "step.completed" in stream.getvalue()
    assert "step_key=a" in stream.getvalue()
    assert "password=***" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", LogFormat)
def test_an_exception_is_written_without_the_values_around_it(form: LogFormat) -> None:
    stream = io.StringIO()
    log.configure(LogLevel.INFO, form, stream)

    try:
        refuse(TOKEN)
    except ValueError:
        structlog.get_logger().exception("login.failed")

    assert "ValueError: refused ***" in stream.getvalue()
    assert TOKEN not in stream.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "jwt_secret",
        "clientSecret",
        "token",
        "accessToken",
        "password",
        "Authorization",
        "x-api-key",
        "apiKey",
        "master_keys",
        "key",
        "Set-Cookie",
    ],
)
def test_what_has_the_name_of_a_secret_is_hidden(output: io.StringIO, name: str) -> None:
    structlog.get_logger().info(
        "called", headers={"deep": [{name: "hunter2"}]}, **{name: "hunter2"}
    )

    assert "hunter2" not in output.getvalue()
    assert lines(output)[0][name] == "***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_key", "summary"),
        ("idempotency_key", "01k"),
        ("token_id", "tok_1"),
        ("keyPreview", "pp_012"),
        ("input_tokens", 12),
        ("has_password", True),
        ("secret_rotated_at", "2026-09-01"),
    ],
)
def test_what_only_tells_of_a_secret_is_shown(
    output: io.StringIO, name: str, value: object
) -> None:
    structlog.get_logger().info("called", **{name: value})

    assert lines(output)[0][name] == value


@pytest.mark.parametrize("secret", [Secret("hunter2"), SecretStr("hunter2")])
def test_a_secret_is_hidden_whatever_its_name(output: io.StringIO, secret: object) -> None:
    structlog.get_logger().info("called", value=secret, inside=[{"value": secret}])

    assert lines(output)[0]["value"] == "***"
    assert lines(output)[0]["inside"] == [{"value": "***"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connecting to postgresql://me:hunter2@db/name", "connecting to postgresql://***@db/name"),
        (f"token {TOKEN}.", "token ***."),
        ("signed with whsec_AAECAwQ=", "signed with ***"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer ***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "***"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_hidden(
    output: io.StringIO, text: str, expected: str
) -> None:
    logging.getLogger("some.library").error(text)

    assert lines(output)[0]["event"] == expected


def test_what_is_nested_without_end_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert "***" in str(log.redact(endless))


@given(st.recursive(st.none() | st.booleans() | st.integers(), st.lists, max_leaves=5))
def test_what_holds_no_secret_stays_as_it_is(value: object) -> None:
    assert log.redact({"value": value}) == {"value": value}
