"""Databases for tests: a fresh, migrated one for each test, copied from a template."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

from promptpilot.models.migrate import migrate


def make_sqlite_template(folder: Path) -> Path:
    """Return a migrated file that tests copy; made once per test process."""
    path = folder / "template.db"
    thread = threading.Thread(target=lambda: asyncio.run(migrate(f"sqlite://{path}")))
    thread.start()
    thread.join()
    assert path.exists()
    for leftover in folder.glob("template.db-*"):  # an unmerged log would not be copied
        raise AssertionError(f"{leftover} was left open")
    return path


def copy_sqlite(template: Path, folder: Path) -> str:
    """Copy the template and return the URL of the copy."""
    path = folder / "test.db"
    shutil.copyfile(template, path)
    return f"sqlite://{path}"
