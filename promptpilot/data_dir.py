"""The folder of an embedded installation: one process at a time, and the secrets it made itself.

After a crash: the lock goes with the process that held it; a half-written secrets file is never
seen, because it gets its name when it is whole.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
from pathlib import Path
from typing import Self

from promptpilot import ids
from promptpilot.errors import Misconfigured
from promptpilot.settings import Settings, with_secrets

_SECRETS_FILE = "secrets.json"
_LOCK_FILE = "lock"
_JWT_SECRET = "jwtSecret"  # noqa: S105 -- the name of an entry
_MASTER_KEYS = "masterKeys"
_ENTRIES = {"PROMPTPILOT_JWT_SECRET": _JWT_SECRET, "PROMPTPILOT_MASTER_KEYS": _MASTER_KEYS}
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DataDirLock:
    """Keeps a second process out of a data folder, until it is released or this process ends."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the folder. Raise Misconfigured, naming the process that holds it, if one does."""
        make_data_dir(self._data_dir)
        handle = os.open(self._data_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip() or "another process"
            os.close(handle)
            raise Misconfigured([_in_use(self._data_dir, holder)]) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._handle = handle

    def release(self) -> None:
        """Let the folder go. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def load_or_create_secrets(settings: Settings) -> Settings:
    """Return `settings` with the secrets kept in the data folder where the environment has none.

    They are made once; the file can be read by its owner alone. Raises Misconfigured when others
    can read it or when it cannot be understood: it is never replaced, for stored credentials open
    with its keys only. Production takes its secrets from the environment and gets no file.
    """
    jwt_secret = settings.jwt_secret.get_secret_value()
    master_keys = settings.master_keys.get_secret_value()
    if settings.is_production or (jwt_secret and master_keys):
        return settings
    path = settings.data_dir / _SECRETS_FILE
    if not path.exists():
        make_data_dir(settings.data_dir)
        _create(path)
    kept = _load(path)
    return with_secrets(
        settings,
        settings.jwt_secret if jwt_secret else kept.jwt_secret,
        settings.master_keys if master_keys else kept.master_keys,
    )


def make_data_dir(data_dir: Path) -> None:
    """Make the folder, for its owner alone, unless it is there; raise Misconfigured if it can't."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"PROMPTPILOT_DATA_DIR: the folder {data_dir} cannot be made: {error.strerror}."
        raise Misconfigured([message]) from error


def _create(path: Path) -> None:
    secrets = {
        _JWT_SECRET: ids.new_secret(48),
        _MASTER_KEYS: f"k1:{_standard_base64(ids.new_secret(32))}",
    }
    draft = path.with_name(f".{path.name}.{ids.new_reference()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump(secrets, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike a rename, it does not replace what another process made
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _load(path: Path) -> Settings:
    """Return settings of which only the secrets mean something: checked like given ones."""
    status = path.stat()
    if status.st_mode & _OTHERS or status.st_uid != os.geteuid():
        message = f"{path} can be read by others; make it yours alone: chmod 600, chown to you."
        raise Misconfigured([message])
    try:
        kept = json.loads(path.read_text("utf-8"))
        texts = {variable: str(kept[name]) for variable, name in _ENTRIES.items()}
        return Settings.from_env(texts)
    except (ValueError, KeyError, TypeError, Misconfigured) as error:
        message = (
            f"{path} cannot be understood. Bring it back from a backup: what is sealed with its "
            "keys cannot be opened without it. To begin anew, remove the whole data folder."
        )
        raise Misconfigured([message]) from error


def _standard_base64(urlsafe: str) -> str:
    data = base64.urlsafe_b64decode(urlsafe + "=" * (-len(urlsafe) % 4))
    return base64.b64encode(data).decode()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _in_use(data_dir: Path, holder: str) -> str:
    who = f"process {holder}" if holder.isdigit() else holder
    return (
        f"The data folder {data_dir} is in use by {who}. Stop it, or set PROMPTPILOT_DATA_DIR to "
        "another folder."
    )
