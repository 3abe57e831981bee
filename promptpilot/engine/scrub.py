"""Takes secret values out of what is about to be written: outputs, errors, events and log lines.

Rules: every occurrence becomes `***`, also one in base64 (alone or within a longer base64 text),
percent-encoded, escaped as in JSON, or in hex; encoders may leave any character but letters and
digits as it is.
What lies within a header value (`Bearer …`, `Basic …`, `name=…`) is taken out by itself as well.

Values of less than four characters stay: they would mask half of every text and tell nothing.
So do the bits that the first or last character of a secret shares with a neighbour in base64.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

_HIDDEN = "***"
_MIN_LENGTH = 4
# A shorter part of a header value may be a word of every text ("true", "Bearer").
_MIN_PART_LENGTH = 8
# So much of a secret shows that the rest of it may follow.
_START_LENGTH = 4
# The longest way to write a byte of a secret, and what may follow the last one (padding).
_LONGEST_BYTE = 16
_LONGEST_END = 32
# Passes over a text in which the mask itself, with what stands beside it, spells a secret.
_MAX_PASSES = 8
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE = {"+": "-", "/": "_"}
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
# Text that was quoted more than once: `\\\"`, `%2525`. Bounded, so that a match takes bounded time.
_MORE_BACKSLASHES = r"\\{0,6}"
_MORE_PERCENTS = "(?:25){0,2}"
_BASE64_PADDING = r"(?:=|%3[dD]|\\u003[dD]){0,2}"
_SCHEME = re.compile(r"[A-Za-z][\w-]*[ \t]+(\S.*)")
_PARAMETER = re.compile(r"""(?<=\w)=["']?([^\s"',;]+)""")
_QUOTING = re.compile(r"[%\\]")
_MEDIA_TYPE = re.compile(r"[a-z]+/[\w.+*-]+")


class Scrubber:
    """Replaces the secrets it was made with; knows nothing of where they came from."""

    __slots__ = ("_beginnings", "_pattern", "_spells_mask", "_wanted")

    def __init__(self, secrets: Iterable[str]) -> None:
        self._wanted = {part for secret in secrets for part in _parts(secret)}
        self._pattern = _compiled(self._wanted) if self._wanted else None
        self._spells_mask = any("*" in secret for secret in self._wanted)
        self._beginnings: _Beginnings | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to look for."""
        return self._pattern is None

    def text(self, text: str) -> str:
        """Return `text` with `***` for every secret; the same object if there is none in it."""
        if self._pattern is None:
            return text
        for _ in range(_MAX_PASSES):
            clean, found = self._pattern.subn(_HIDDEN, text)
            if not found:
                return text
            if not self._spells_mask:
                return clean
            text = clean
        return _HIDDEN

    def safe_length(self, text: str) -> int:
        """Return how much of a `text` that goes on can be told alone, whatever follows it.

        Beyond that a secret may have begun. Parts that are cut there are scrubbed one by one.
        """
        if self._pattern is None:
            return len(text)
        if self._spells_mask:
            return 0
        if self._beginnings is None:
            self._beginnings = _Beginnings(self._wanted)
        found = [match.span() for match in self._pattern.finditer(text)]
        end = self._beginnings.first_in(text, found)
        return next((start for start, stop in found if start < end < stop), end)

    def value(self, value: Any) -> Any:
        """Return JSON `value` without secrets in its texts and keys.

        It is the same object if nothing was found. Of two keys that become equal the last stays.
        """
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, dict):
            return self._object(value)
        return value

    def _list(self, items: list[Any]) -> list[Any]:
        clean = [self.value(item) for item in items]
        is_same = all(new is old for new, old in zip(clean, items, strict=True))
        return items if is_same else clean

    def _object(self, members: dict[str, Any]) -> dict[str, Any]:
        clean = [(self.text(key), self.value(item)) for key, item in members.items()]
        is_same = all(
            new[0] is old[0] and new[1] is old[1]
            for new, old in zip(clean, members.items(), strict=True)
        )
        return members if is_same else dict(clean)


class _Beginnings:
    """Finds where a secret may begin whose end has not come yet."""

    __slots__ = ("_is_one_each", "_pattern", "_plain_reach", "_quoted_reach", "_reach")

    def __init__(self, secrets: set[str]) -> None:
        starts = {secret[:_START_LENGTH] for secret in secrets}
        self._pattern = _compiled(starts)
        # What was found whole is then not the beginning of a longer secret.
        self._is_one_each = len(starts) == len(secrets)
        self._reach = max(map(_longest_form, secrets))
        self._quoted_reach = max(map(_longest_form, starts))
        # Of the forms without a quoting sign the one in hex is the longest.
        self._plain_reach = 2 * max(len(_bytes(start)) for start in starts)

    def first_in(self, text: str, found: Sequence[tuple[int, int]]) -> int:
        """Return the first place from which a secret may go on beyond the end of `text`.

        `found` are the spans of the secrets that are there as a whole.
        """
        size = len(text)
        places = [max(0, size - self._plain_reach + 1)]
        over = [span for span in found if self._is_one_each and span[1] + _LONGEST_END <= size]
        at = max(0, size - self._reach)
        while begun := self._pattern.search(text, at):
            at = next((stop for start, stop in over if start <= begun.start() < stop), -1)
            if at < 0:
                places.append(begun.start())
                break
        if quoted := _QUOTING.search(text, max(0, size - self._quoted_reach)):
            places.append(max(0, quoted.start() - self._plain_reach))
        return min(places)


def _longest_form(secret: str) -> int:
    return _LONGEST_BYTE * len(_bytes(secret)) + _LONGEST_END


# How a character may be written: a plain first character each, and a pattern for what follows it.
_Unit = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to write a secret: its first character, a pattern for the rest, its least length."""

    first: str
    rest: str
    length: int


def _parts(secret: str) -> Iterator[str]:
    """Give the value and the credentials that it holds if it is a header's value."""
    whole = [secret, secret.strip(), *_basic(secret)]
    yield from (part for part in whole if len(part) >= _MIN_LENGTH)
    split = [*_after_scheme(secret), *_PARAMETER.findall(secret)]
    yield from (part for part in split if _is_credential(part))


def _after_scheme(secret: str) -> list[str]:
    """Return the tokens after `Bearer` and the like; of several, none that is a mere word."""
    match = _SCHEME.fullmatch(secret.strip())
    tokens = re.split(r"[\s,;]+", match[1]) if match else []
    # A passphrase has the look of a scheme with tokens, and its words are in every text.
    return tokens if len(tokens) == 1 else [token for token in tokens if not token.isalpha()]


def _is_credential(part: str) -> bool:
    return len(part) >= _MIN_PART_LENGTH and not _MEDIA_TYPE.fullmatch(part)


def _basic(secret: str) -> list[str]:
    """Return `user:password` and `password` of `Basic …`; nothing for any other value."""
    scheme, _, token = secret.strip().partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        pair = b64decode(token.strip() + "==").decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    return [pair, pair.partition(":")[2]]


def _compiled(secrets: set[str]) -> re.Pattern[str]:
    """Return one alternation that tries the longest form first at every place.

    Every branch begins with another plain character: `re` then skips to the next place where one of
    them stands, instead of trying all the forms at each.
    """
    branches: dict[str, list[_Form]] = defaultdict(list)
    for secret in sorted(secrets):
        for form in (*_quoted(secret), *_coded(secret), *_base64(secret)):
            branches[form.first].append(form)
    return re.compile("|".join(map(_branch, branches.values())))


def _branch(forms: list[_Form]) -> str:
    longest_first = sorted(forms, key=lambda form: -form.length)
    rests = dict.fromkeys(form.rest for form in longest_first)
    return f"{re.escape(forms[0].first)}(?:{'|'.join(rests)})"


def _quoted(secret: str) -> Iterator[_Form]:
    """Give the secret as it is, or as text for a URL or JSON, where letters and digits stay."""
    units: list[_Unit] = []
    for char, group in groupby(secret):
        count = len(list(group))
        units += [_backslashes(count)] if char == "\\" else [_character(char)] * count
    yield from _joined(units, len(secret))


def _coded(secret: str) -> Iterator[_Form]:
    """Give the forms in which every character is a number: in hex, or after `%` or `u`."""
    digits = _bytes(secret).hex()
    for first in {digits[0], digits[0].upper()}:
        yield _Form(first, _any_case(digits[1:]), len(digits))
    yield _Form("%", "%".join(map(_any_case, _pairs(secret))), 3 * len(digits) // 2)
    yield _Form("\\", _numbers(secret), 6 * len(secret))


def _base64(secret: str) -> Iterator[_Form]:
    """Give what all base64 texts have in common that hold the secret after 0, 1 or 2 more bytes."""
    data = _bytes(secret)
    for shift, shared in enumerate((0, 2, 3)):
        digits = b64encode(bytes(shift) + data).decode().rstrip("=")
        whole, bits = divmod(8 * (shift + len(data)), 6)
        end = _last_digit(digits[whole], bits) if bits else ""
        units = [_base64_digit(digit) for digit in digits[shared:whole]]
        yield from _joined(units, len(units), end)


def _joined(units: list[_Unit], length: int, end: str = "") -> Iterator[_Form]:
    rest = "".join(map(_pattern, units[1:])) + end
    for first, more in units[0]:
        # The mask may begin at the last of several backslashes.
        yield _Form(first, more.removeprefix(_MORE_BACKSLASHES) + rest, length)


def _pattern(unit: _Unit) -> str:
    options = [re.escape(first) + more for first, more in unit]
    return options[0] if len(options) == 1 else f"(?:{'|'.join(options)})"


def _character(char: str) -> _Unit:
    if char.isascii() and char.isalnum():
        return [(char, "")]
    spaces = [("+", "")] if char == " " else []
    return [(char, ""), *spaces, ("%", _percent(char)), ("\\", _MORE_BACKSLASHES + _escape(char))]


def _backslashes(count: int) -> _Unit:
    """Return the forms of a run: apart, each with its own number of them, would take forever."""
    encoded = [("%", _percent("\\")), ("\\", _MORE_BACKSLASHES + _numbers("\\"))]
    others = f"{_pattern(encoded)}{{{count - 1}}}"
    plain = ("\\", rf"\\{{{count - 1},{8 * count - 1}}}")
    return [plain, *((first, more + others) for first, more in encoded)]


def _base64_digit(digit: str) -> _Unit:
    safe = [(_URL_SAFE[digit], "")] if digit in _URL_SAFE else []
    return [*safe, *_character(digit)]


def _last_digit(digit: str, bits: int) -> str:
    """Return a pattern for the digit that has `bits` bits of the secret, if it is there."""
    start = _ALPHABET.index(digit)
    digits = _ALPHABET[start : start + 2 ** (6 - bits)]
    choices = re.escape(digits + "".join(_URL_SAFE.get(digit, "") for digit in digits))
    return f"(?:[{choices}]{_BASE64_PADDING})?"


def _percent(char: str) -> str:
    """Return a pattern for the percent-encoded character without its first `%`."""
    return "%".join(_MORE_PERCENTS + _any_case(pair) for pair in _pairs(char))


def _escape(char: str) -> str:
    """Return a pattern for the escaped character after its backslashes."""
    options = [_numbers(char)]
    if char in _SHORT_ESCAPES:
        options.append(_SHORT_ESCAPES[char])
    elif char.isascii():
        options.append(re.escape(char))
    if byte := char.encode("latin-1", "ignore").hex():
        options.append("x" + _any_case(byte))
    return f"(?:{'|'.join(options)})"


def _numbers(text: str) -> str:
    """Return a pattern for `u0073…` of each character, without the first backslashes."""
    digits = text.encode("utf-16-be", "surrogatepass").hex()
    between = rf"\\{_MORE_BACKSLASHES}"
    return between.join("u" + _any_case(number) for number in re.findall("....", digits))


def _pairs(text: str) -> list[str]:
    return re.findall("..", _bytes(text).hex())


def _any_case(digits: str) -> str:
    return re.sub("[a-f]", lambda digit: f"[{digit[0]}{digit[0].upper()}]", digits)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
