"""Proves that a data folder has one process at a time, and secrets that only its owner sees."""

from __future__ import annotations

import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from promptpilot.data_dir import DataDirLock, load_or_create_secrets
from promptpilot.errors import Misconfigured
from promptpilot.settings import Settings, parse_keys

HOLD = """
import sys
from pathlib import Path
from promptpilot.data_dir import DataDirLock
DataDirLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def settings_in(folder: Path, **variables: str) -> Settings:
    return Settings.from_env({"PROMPTPILOT_DATA_DIR": str(folder), **variables})


def holder_of(folder: Path) -> Popen[str]:
    """Start another process that holds the lock, and return it when it does."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = Popen(command, stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    with holder_of(tmp_path) as holder, pytest.raises(Misconfigured) as caught:
        DataDirLock(tmp_path).acquire()

    assert f"{tmp_path} is in use by process {holder.pid}." in caught.value.message
    assert "PROMPTPILOT_DATA_DIR" in caught.value.message


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with holder_of(tmp_path) as holder:
        holder.kill()
        holder.wait()

    with DataDirLock(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    lock = DataDirLock(tmp_path / "new folder")

    with lock:
        pass

    with lock, pytest.raises(Misconfigured, match=f"process {os.getpid()}"):
        DataDirLock(tmp_path / "new folder").acquire()
    lock.release()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Misconfigured, match=r"PROMPTPILOT_DATA_DIR: the folder .* cannot be"):
        DataDirLock(tmp_path / "file" / "folder").acquire()


def test_missing_secrets_are_made_once(tmp_path: Path) -> None:
    first = load_or_create_secrets(settings_in(tmp_path))

    second = load_or_create_secrets(settings_in(tmp_path))

    assert first == second
    assert len(first.jwt_secret.get_secret_value()) >= 32
    assert len(parse_keys(first.master_keys.get_secret_value())) == 1


def test_two_folders_have_different_secrets(tmp_path: Path) -> None:
    one = load_or_create_secrets(settings_in(tmp_path / "one"))
    other = load_or_create_secrets(settings_in(tmp_path / "other"))

    assert one.jwt_secret != other.jwt_secret
    assert one.master_keys != other.master_keys


def test_processes_that_start_together_agree_on_the_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        all_settings = list(pool.map(load_or_create_secrets, [settings_in(tmp_path)] * 8))

    assert len({settings.jwt_secret for settings in all_settings}) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "secrets.json"]


def test_the_folder_and_the_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    load_or_create_secrets(settings_in(folder))

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "secrets.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o620])
def test_secrets_that_others_can_reach_are_refused(tmp_path: Path, mode: int) -> None:
    load_or_create_secrets(settings_in(tmp_path))
    (tmp_path / "secrets.json").chmod(mode)

    with pytest.raises(Misconfigured, match="can be read by others"):
        load_or_create_secrets(settings_in(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "\xff",
        json.dumps({"jwtSecret": "short", "masterKeys": f"k1:{'A' * 43}="}),
        json.dumps({"jwtSecret": "a" * 32, "masterKeys": "k1"}),
    ],
)
def test_secrets_that_cannot_be_understood_are_left_alone(tmp_path: Path, content: str) -> None:
    load_or_create_secrets(settings_in(tmp_path))
    (tmp_path / "secrets.json").write_text(content, "latin-1")

    with pytest.raises(Misconfigured, match="cannot be understood"):
        load_or_create_secrets(settings_in(tmp_path))

    assert (tmp_path / "secrets.json").read_text("latin-1") == content


def test_a_secret_of_the_environment_wins(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, PROMPTPILOT_JWT_SECRET="b" * 32)

    complete = load_or_create_secrets(settings)

    assert complete.jwt_secret.get_secret_value() == "b" * 32
    assert complete.master_keys.get_secret_value() != ""


def test_nothing_is_written_when_the_environment_has_both(tmp_path: Path) -> None:
    keys = f"k1:{'A' * 43}="
    settings = settings_in(tmp_path, PROMPTPILOT_JWT_SECRET="b" * 32, PROMPTPILOT_MASTER_KEYS=keys)

    assert load_or_create_secrets(settings) is settings
    assert list(tmp_path.iterdir()) == []
