"""Proves that no file tells of the machine it was written on, and that dependencies are pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, found_in, name_of, texts

#: Parts of words, put together here so that this file does not hold them itself.
_MACHINE = re.compile("|".join(("/" + "work/", "/" + "home/", "/" + "root/", "/" + "Users/")))
_HOSTS = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", "index" + "-url", "registry" + r"\.npmjs"))
)
_LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^ ]+)(?: ; [^\\]+)? \\$", re.MULTILINE)
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def test_no_file_names_a_folder_of_a_machine() -> None:
    assert found_in(texts(), lambda path: _MACHINE.findall(path.read_text("utf-8"))) == {}


def test_no_file_names_a_package_index() -> None:
    assert found_in(texts(), lambda path: _HOSTS.findall(path.read_text("utf-8"))) == {}


@pytest.mark.parametrize("path", _LOCKS, ids=name_of)
def test_a_lock_file_holds_nothing_but_pins_and_hashes(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()

    others = [line for line in lines if not _PIN.match(line) and not _HASH.match(line)]

    assert others == []


def test_both_lock_files_pin_the_same_versions() -> None:
    run, dev = pins("run.lock"), pins("dev.lock")

    assert run.items() <= dev.items()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = project["project"]["dependencies"]
    developers = project["dependency-groups"]["dev"]

    assert {_normal(each) for each in wanted} <= set(pins("run.lock"))
    assert {_normal(each) for each in developers} <= set(pins("dev.lock"))


def pins(name: str) -> dict[str, str]:
    """Return the versions that a lock file pins, by package."""
    return dict(_PIN.findall((ROOT / "requirements" / name).read_text("utf-8")))


def _normal(requirement: str) -> str:
    match = _NAME.match(requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match.group()).lower()
