"""One server process that is measured: its processor time, its memory, and that at its worst."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass
class Watched:
    """A server; sizes are bytes of resident memory, times seconds of the processor."""

    port: int
    pid: int
    _process: psutil.Process = field(init=False)

    def __post_init__(self) -> None:
        self._process = psutil.Process(self.pid)

    def cpu(self) -> float:
        """Return the processor time since its start."""
        times = self._process.cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Return what it holds now."""
        return int(self._process.memory_info().rss)

    def forget_peak(self) -> None:
        """Let `peak` begin at what it holds now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the most that it has held since `forget_peak`."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(each.split()[1]) * 1024 for each in lines if each.startswith("VmHWM"))
