"""What calls of models cost: a table that comes along, and what the operator adds to it.

Rules
    1. A price is looked up by provider and model: under the model's whole name, else under its
       name without what marks a release (`-2024-11-20`, `-20250929`, `-001`, `-preview-05-20`,
       `-latest`). No other part of a name counts: `gpt-4o-audio` is not `gpt-4o`.
    2. A deployment of AZURE_OPENAI costs what the model of that name costs at OPENAI, unless it
       has a price of its own.
    3. What has no price costs None, never 0. Money is rounded up, once for each call.

Units: prices are US dollars per million tokens, which are micro-dollars per token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from promptpilot import data
from promptpilot.engine.providers.base import Tokens
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import Misconfigured

SETTING = "PROMPTPILOT_PRICES_FILE"
_SHIPPED = "prices.json"
_MOST_ENTRIES = 10_000
_LONGEST_VERSION = 64
_HIGHEST = Decimal(1_000_000)
_RELEASE = re.compile(
    r"(?:[-@]\d{4}-\d{2}-\d{2}|[-@]\d{8}|-\d{3}|-preview-\d{2}-(?:\d{4}|\d{2})|-latest)$"
)

Key = tuple[ModelProvider, str]


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of the four kinds of tokens."""

    input: Decimal
    output: Decimal
    cached: Decimal
    cache_write: Decimal

    def micros(self, tokens: Tokens) -> int:
        """Return what a call costs in micro-dollars, rounded up."""
        plain = max(0, tokens.prompt - tokens.cached - tokens.cache_write)
        exact = (
            plain * self.input
            + tokens.cached * self.cached
            + tokens.cache_write * self.cache_write
            + tokens.completion * self.output
        )
        return int(exact.to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs. `long` holds for calls that send more than `long_over` tokens."""

    rates: Rates
    long_over: int = 0
    long: Rates | None = None

    def micros(self, tokens: Tokens) -> int:
        """Return what a call costs in micro-dollars, rounded up."""
        is_long = self.long is not None and tokens.prompt > self.long_over
        return (self.long if is_long and self.long else self.rates).micros(tokens)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by provider and model. `version` is noted with every call that it priced."""

    version: str
    prices: Mapping[Key, Price] = field(default_factory=dict)

    def price_of(self, provider: ModelProvider, model: str) -> Price | None:
        """Return what a model costs; None if that is not known."""
        found = self._find(provider, model)
        if found is None and provider is ModelProvider.AZURE_OPENAI:
            return self._find(ModelProvider.OPENAI, model)
        return found

    def models(self, provider: ModelProvider) -> list[str]:
        """Return the models of a provider that have a price, in the table's order."""
        return [model for owner, model in self.prices if owner is provider]

    def _find(self, provider: ModelProvider, model: str) -> Price | None:
        name = model.strip().lower().removeprefix("models/")
        whole = self.prices.get((provider, name))
        return whole or self.prices.get((provider, _RELEASE.sub("", name)))


@cache
def shipped_prices() -> PriceTable:
    """Return the table that comes along."""
    return _read_table(files(data).joinpath(_SHIPPED).read_text("utf-8"), _SHIPPED)


def load_prices(own: str) -> PriceTable:
    """Return the shipped table, with the entries of the operator's file added or put in place.

    `own` is the path of the file, empty if there is none. Raises Misconfigured that names every
    entry of the file that is wrong.
    """
    shipped = shipped_prices()
    if not own:
        return shipped
    try:
        text = Path(own).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        message = f"{SETTING}: {own} cannot be read: {fault}."
        raise Misconfigured([message]) from None
    added = _read_table(text, SETTING)
    merged = MappingProxyType({**shipped.prices, **added.prices})
    return PriceTable(f"{shipped.version}+{added.version}", merged)


def _read_table(text: str, source: str) -> PriceTable:
    try:
        document = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as fault:
        raise Misconfigured([f"{source}: the file is not JSON: {fault}."]) from None
    if not isinstance(document, dict) or not isinstance(document.get("models"), list):
        raise Misconfigured([f'{source}: the file must be {{"version": "…", "models": [ … ]}}.'])
    version, entries = document.get("version"), document["models"]
    if not isinstance(version, str) or not 1 <= len(version) <= _LONGEST_VERSION:
        message = f"{source}: `version` must be a text of 1 to {_LONGEST_VERSION} characters."
        raise Misconfigured([message])
    if len(entries) > _MOST_ENTRIES:
        raise Misconfigured([f"{source}: {_MOST_ENTRIES} models are allowed."])
    faults: list[str] = []
    prices = dict(_read_entries(entries, source, faults))
    if faults:
        raise Misconfigured(faults)
    return PriceTable(version, MappingProxyType(prices))


def _read_entries(
    entries: list[Any], source: str, faults: list[str]
) -> Iterator[tuple[Key, Price]]:
    seen: set[Key] = set()
    for position, entry in enumerate(entries):
        try:
            key, price = _read_entry(entry, seen)
        except ValueError as fault:
            name = f" ({entry.get('model')})" if isinstance(entry, dict) else ""
            faults.append(f"{source}: models[{position}]{name}: {fault}.")
        else:
            seen.add(key)
            yield key, price


def _read_entry(entry: Any, seen: set[Key]) -> tuple[Key, Price]:
    """Return one price. Raises ValueError that says what is wrong."""
    if not isinstance(entry, dict):
        raise ValueError("it must be an object")  # noqa: TRY004 -- of a file, like the others
    if unknown := entry.keys() - {"provider", "model", "long", *_RATES}:
        raise ValueError(f"`{min(unknown)}` is not known here")
    if entry.get("provider") not in set(ModelProvider):
        raise ValueError(f"`provider` must be one of {', '.join(ModelProvider)}")
    model = entry.get("model")
    if not isinstance(model, str) or not model.strip():
        raise ValueError("`model` must be a name")
    key = ModelProvider(entry["provider"]), model.strip().lower()
    if key in seen:
        raise ValueError("the model has a price already")
    return key, _read_price(entry)


def _read_price(entry: Mapping[str, Any]) -> Price:
    long = entry.get("long")
    if long is None:
        return Price(_read_rates(entry))
    if not isinstance(long, dict) or long.keys() - {"over", *_RATES}:
        raise ValueError("`long` must have `over`, `input` and `output`, and no other names")
    return Price(_read_rates(entry), int(_number(long, "over", None)), _read_rates(long))


_RATES = ("input", "cachedInput", "cacheWrite", "output")


def _read_rates(entry: Mapping[str, Any]) -> Rates:
    """Return prices; what is read from or written to a cache costs as input unless it says."""
    plain = _number(entry, "input", None)
    return Rates(
        input=plain,
        output=_number(entry, "output", None),
        cached=_number(entry, "cachedInput", plain),
        cache_write=_number(entry, "cacheWrite", plain),
    )


def _number(entry: Mapping[str, Any], name: str, default: Decimal | None) -> Decimal:
    value = entry.get(name, default)
    if not isinstance(value, Decimal) or not 0 <= value <= _HIGHEST:
        raise ValueError(f"`{name}` must be a number from 0 to {_HIGHEST}")
    return value
