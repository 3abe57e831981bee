"""`python -m promptpilot` is the command `promptpilot`."""

from __future__ import annotations

from promptpilot.cli import main

if __name__ == "__main__":
    main()
