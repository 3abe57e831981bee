"""Proves what a call of a model costs, which name has which price, and what a file may change."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.prices import Price, PriceTable, Rates, load_prices, shipped_prices
from promptpilot.engine.providers.base import Tokens
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import Misconfigured

OPENAI, AZURE = ModelProvider.OPENAI, ModelProvider.AZURE_OPENAI
ANTHROPIC, GOOGLE = ModelProvider.ANTHROPIC, ModelProvider.GOOGLE
CHEAP = {"provider": "OPENAI", "model": "Mine", "input": 0.5, "output": 1}
PRICES = st.decimals(0, 1000, places=4)
COUNTS = st.integers(0, 10**9)


def file_of(folder: Path, *models: Any, version: Any = "v1") -> str:
    """Write a file of prices; return its path."""
    path = folder / "prices.json"
    path.write_text(json.dumps({"version": version, "models": list(models)}))
    return str(path)


def faults_of(path: str) -> tuple[str, ...]:
    """Return why a file is refused."""
    with pytest.raises(Misconfigured) as refusal:
        load_prices(path)
    return refusal.value.faults


@given(st.tuples(*[PRICES] * 4), st.tuples(*[COUNTS] * 4))
def test_money_is_exact_and_rounded_up_once(
    rates: tuple[Decimal, ...], counts: tuple[int, ...]
) -> None:
    plain, out, read, write = counts
    tokens = Tokens(plain + read + write, out, read, write)

    micros = Rates(*rates).micros(tokens)

    exact = sum(Fraction(rate) * count for rate, count in zip(rates, counts, strict=True))
    assert micros == ceil(exact)


def test_the_smallest_call_costs_something() -> None:
    price = shipped_prices().price_of(OPENAI, "gpt-4o-mini")

    assert price is not None
    assert price.micros(Tokens(1, 0)) == 1


def test_a_call_is_priced_by_hand() -> None:
    price = shipped_prices().price_of(ANTHROPIC, "claude-sonnet-4-5")

    assert price is not None
    # 1000 plain at 3, 500 read at 0.3, 200 written at 3.75 and 100 answered at 15.
    assert price.micros(Tokens(1700, 100, 500, 200)) == 3000 + 150 + 750 + 1500


def test_more_of_the_cache_than_was_sent_makes_nothing_cheaper() -> None:
    assert Rates(*[Decimal(1)] * 4).micros(Tokens(prompt=1, cached=3)) == 3


@pytest.mark.parametrize(("sent", "micros"), [(200_000, 250_000), (200_001, 500_003)])
def test_long_prompts_have_prices_of_their_own(sent: int, micros: int) -> None:
    price = shipped_prices().price_of(GOOGLE, "gemini-2.5-pro")

    assert price is not None
    assert price.micros(Tokens(sent)) == micros


@pytest.mark.parametrize(
    ("provider", "name", "same_as"),
    [
        (OPENAI, "gpt-4o-2024-11-20", "gpt-4o"),
        (OPENAI, "GPT-4o ", "gpt-4o"),
        (OPENAI, "gpt-5-chat-latest", "gpt-5-chat"),
        (ANTHROPIC, "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        (ANTHROPIC, "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        (GOOGLE, "models/gemini-2.0-flash-001", "gemini-2.0-flash"),
        (GOOGLE, "gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
        (GOOGLE, "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"),
    ],
)
def test_a_release_costs_what_its_model_costs(
    provider: ModelProvider, name: str, same_as: str
) -> None:
    found = shipped_prices().price_of(provider, name)

    assert found is not None
    assert found is shipped_prices().price_of(provider, same_as)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        (OPENAI, "gpt-4o-audio-preview"),
        (OPENAI, "gpt-4"[:-1]),
        (OPENAI, ""),
        (ANTHROPIC, "gpt-4o"),
        (ModelProvider.OPENAI_COMPATIBLE, "gpt-4o"),
    ],
)
def test_no_other_name_has_its_price(provider: ModelProvider, name: str) -> None:
    assert shipped_prices().price_of(provider, name) is None


def test_a_deployment_costs_what_its_model_costs_unless_it_has_a_price() -> None:
    own = Price(Rates(*[Decimal(1)] * 4))
    table = PriceTable("t", {**shipped_prices().prices, (AZURE, "gpt-4o"): own})

    assert shipped_prices().price_of(AZURE, "gpt-4o-mini") is not None
    assert table.price_of(AZURE, "gpt-4o") is own


def test_every_shipped_model_has_sensible_prices() -> None:
    for price in shipped_prices().prices.values():
        rates = price.rates

        assert 0 < rates.cached <= rates.input < rates.output
        assert rates.cache_write >= rates.input


def test_the_models_of_a_provider_are_listed() -> None:
    assert "claude-haiku-4-5" in shipped_prices().models(ANTHROPIC)
    assert shipped_prices().models(ModelProvider.SIMULATOR) == []


def test_without_a_file_the_shipped_prices_hold() -> None:
    assert load_prices("") is shipped_prices()


def test_a_file_adds_and_replaces_prices(tmp_path: Path) -> None:
    dear = {"provider": "OPENAI", "model": "gpt-4o", "input": 100, "output": 200}

    table = load_prices(file_of(tmp_path, CHEAP, dear))

    assert table.version == f"{shipped_prices().version}+v1"
    assert table.price_of(OPENAI, "mine") == Price(Rates(*map(Decimal, ("0.5", "1", "0.5", "0.5"))))
    assert table.price_of(OPENAI, "gpt-4o-2024-11-20") == Price(
        Rates(*map(Decimal, (100, 200, 100, 100)))
    )
    assert table.price_of(OPENAI, "gpt-4o-mini") is not None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("x", "models[0]: it must be an object."),
        ({**CHEAP, "cost": 1}, "models[0] (Mine): `cost` is not known here."),
        ({**CHEAP, "provider": "ACME"}, "models[0] (Mine): `provider` must be one of OPENAI, "),
        ({**CHEAP, "model": " "}, "models[0] ( ): `model` must be a name."),
        ({**CHEAP, "input": -1}, "models[0] (Mine): `input` must be a number from 0 to 1000000."),
        ({**CHEAP, "output": True}, "models[0] (Mine): `output` must be a number"),
        ({**CHEAP, "cacheWrite": float("nan")}, "models[0] (Mine): `cacheWrite` must be a number"),
        ({**CHEAP, "long": {"over": 1}}, "models[0] (Mine): `input` must be a number"),
        ({**CHEAP, "long": 1}, "models[0] (Mine): `long` must have `over`, "),
    ],
)
def test_a_wrong_entry_is_refused_by_its_place(tmp_path: Path, entry: Any, words: str) -> None:
    (fault,) = faults_of(file_of(tmp_path, entry))

    assert fault.startswith(f"PROMPTPILOT_PRICES_FILE: {words}")


def test_every_wrong_entry_is_told_at_once(tmp_path: Path) -> None:
    faults = faults_of(file_of(tmp_path, CHEAP, "x", CHEAP))

    assert faults == (
        "PROMPTPILOT_PRICES_FILE: models[1]: it must be an object.",
        "PROMPTPILOT_PRICES_FILE: models[2] (Mine): the model has a price already.",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the file is not JSON"),
        ("[" * 100_000, "the file is not JSON"),
        ("[]", "the file must be"),
        ('{"models": []}', "`version` must be a text of 1 to 64 characters"),
        (json.dumps({"version": "v", "models": [1] * 10_001}), "10000 models are allowed"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    (fault,) = faults_of(str(path))

    assert words in fault


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    (fault,) = faults_of(str(tmp_path / "nothing.json"))

    assert fault.startswith(f"PROMPTPILOT_PRICES_FILE: {tmp_path}/nothing.json cannot be read")
