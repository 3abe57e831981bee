"""The product's own processes, with a provider that writes down what it is asked.

`python -m tests.support.worker_process <command>` is `promptpilot <command>`: the SIMULATOR is
replaced, here and in the child processes in which an execution runs alone, and nothing else is.
The variable EFFECTS names the file to write to.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

from promptpilot import cli
from promptpilot.engine.providers import registry
from promptpilot.engine.solo import SoloSettings
from promptpilot.engine.step_configs import ModelProvider
from tests.support.effects import RecordingProvider
from workers import workplace

_SOLO = (sys.executable, "-m", "tests.support.worker_process", "solo")


def main() -> None:
    """Run the command of the product that the arguments name."""
    providers = cast("dict[ModelProvider, Any]", registry.PROVIDERS)
    providers[ModelProvider.SIMULATOR] = RecordingProvider(Path(os.environ["EFFECTS"]))
    vars(workplace)["SoloSettings"] = partial(SoloSettings, command=_SOLO)
    cli.main()


if __name__ == "__main__":
    main()
