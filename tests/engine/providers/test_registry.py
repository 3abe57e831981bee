"""Proves that every provider has its adapter, and that their libraries are loaded when needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from promptpilot.engine.providers.registry import open_providers
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider


def test_every_provider_can_be_asked() -> None:
    assert set(open_providers(ProviderHttp())) == set(ModelProvider)


@pytest.mark.parametrize("library", ["openai", "anthropic", "google.genai"])
def test_a_process_that_asks_no_model_loads_no_library(library: str) -> None:
    program = f"""
import sys
import promptpilot.backbone
from promptpilot.engine.providers.registry import open_providers
from promptpilot.engine.providers.transport import ProviderHttp
open_providers(ProviderHttp())
sys.exit({library!r} in sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
