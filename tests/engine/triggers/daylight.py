"""What schedules do on the days when clocks change, written out as a table.

A row says what fires on that day in that zone: the expression, a policy where it is not the usual
one, and what the clocks show then, with their offset from UTC. Three dots stand for later ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from promptpilot.engine.triggers.cron import parse_cron
from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy
from promptpilot.engine.triggers.schedule import Schedule
from promptpilot.engine.triggers.zones import zone_of

TABLE = """
America/New_York 2026-03-08: 02:00 becomes 03:00
  30 2 * * *           | 03:00-04
  30 2 * * * SKIP      |
  0,30 2,3 * * *       | 03:00-04 03:30-04
  59 1 * * *           | 01:59-05
  */30 2 * * *         |
  15 */2 * * *         | 00:15-05 04:15-04 06:15-04 08:15-04 10:15-04 12:15-04 14:15-04 ...
  0 * 8 3 *            | 00:00-05 01:00-05 03:00-04 04:00-04 05:00-04 06:00-04 07:00-04 ...
  30 1-4 * * *         | 01:30-05 03:00-04 03:30-04 04:30-04

America/New_York 2026-11-01: 02:00 becomes 01:00
  30 1 * * *           | 01:30-04
  30 1 * * * BOTH      | 01:30-04 01:30-05
  */30 1 * * *         | 01:00-04 01:30-04 01:00-05 01:30-05
  0,30 1 * * *         | 01:00-04 01:30-04
  0,30 1 * * * BOTH    | 01:00-04 01:30-04 01:00-05 01:30-05
  0 0-3 * * *          | 00:00-04 01:00-04 02:00-05 03:00-05
  15 */2 * * *         | 00:15-04 02:15-05 04:15-05 06:15-05 08:15-05 10:15-05 12:15-05 ...
  0 2 * * *            | 02:00-05
  0 * 1 11 *           | 00:00-04 01:00-04 01:00-05 02:00-05 03:00-05 04:00-05 05:00-05 ...

Europe/London 2026-03-29: 01:00 becomes 02:00
  30 1 * * *           | 02:00+01
  30 1 * * * SKIP      |
  0 1 * * *            | 02:00+01
  */20 1 * * *         |
  0 2 * * *            | 02:00+01
  */30 0-2 * * *       | 00:00+00 00:30+00 02:00+01 02:30+01

Europe/London 2026-10-25: 02:00 becomes 01:00
  30 1 * * *           | 01:30+01
  30 1 * * * BOTH      | 01:30+01 01:30+00
  */30 1 * * *         | 01:00+01 01:30+01 01:00+00 01:30+00
  0 2 * * *            | 02:00+00
  30 * 25 10 0         | 00:30+01 01:30+01 01:30+00 02:30+00 03:30+00 04:30+00 05:30+00 ...

Australia/Lord_Howe 2026-10-04: 02:00 becomes 02:30
  15 2 * * *           | 02:30+11
  15 2 * * * SKIP      |
  30 2 * * *           | 02:30+11
  0 2 * * *            | 02:30+11
  */15 2 * * *         | 02:30+11 02:45+11
  0-45/15 2 * * *      | 02:30+11 02:45+11
  10 * 4 10 *          | 00:10+1030 01:10+1030 03:10+11 04:10+11 05:10+11 06:10+11 07:10+11 ...

Australia/Lord_Howe 2026-04-05: 02:00 becomes 01:30
  45 1 * * *           | 01:45+11
  45 1 * * * BOTH      | 01:45+11 01:45+1030
  15 1 * * *           | 01:15+11
  */15 1 * * *         | 01:00+11 01:15+11 01:30+11 01:45+11 01:30+1030 01:45+1030
  0 1 * * *            | 01:00+11
  0 2 * * *            | 02:00+1030
  50 * 5 4 *           | 00:50+11 01:50+11 01:50+1030 02:50+1030 03:50+1030 ...

Pacific/Chatham 2026-09-27: 02:45 becomes 03:45
  0 3 * * *            | 03:45+1345
  0 3 * * * SKIP       |
  45 2 * * *           | 03:45+1345
  30 3 * * *           | 03:45+1345
  50 3 * * *           | 03:50+1345
  */20 2-3 * * *       | 02:00+1245 02:20+1245 02:40+1245
  0 2,3,4 * * *        | 02:00+1245 03:45+1345 04:00+1345

Pacific/Chatham 2026-04-05: 03:45 becomes 02:45
  0 3 * * *            | 03:00+1345
  0 3 * * * BOTH       | 03:00+1345 03:00+1245
  50 3 * * *           | 03:50+1245
  */30 2-3 * * *       | 02:00+1345 02:30+1345 03:00+1345 03:30+1345 03:00+1245 03:30+1245
  45 2 * * *           | 02:45+1345

Pacific/Chatham 2010-04-04: 03:45 becomes 02:45
  */10 2 * * *         | 02:00+1345 02:10+1345 02:20+1345 02:30+1345 02:40+1345 02:50+1345 ...
  */25 2 * * *         | 02:00+1345 02:25+1345 02:50+1345 02:50+1245
  55 2 * * * BOTH      | 02:55+1345 02:55+1245

America/Santiago 2026-09-06: 00:00 becomes 01:00
  0 0 * * *            | 01:00-03
  0 0 * * * SKIP       |
  30 0 * * *           | 01:00-03
  */30 0 * * *         |
  0 1 * * *            | 01:00-03
  @daily               | 01:00-03

America/Santiago 2026-04-04: 24:00 becomes 23:00
  30 23 * * *          | 23:30-03
  30 23 * * * BOTH     | 23:30-03 23:30-04
  */30 23 * * *        | 23:00-03 23:30-03 23:00-04 23:30-04
  0 0 * * *            | 00:00-03

Africa/Casablanca 2026-03-22: 02:00 becomes 03:00
  30 2 * * *           | 03:00+01
  30 2 * * * SKIP      |
  */30 2-3 * * *       | 03:00+01 03:30+01
  0 2-4 * * *          | 03:00+01 04:00+01

Africa/Casablanca 2026-02-15: 03:00 becomes 02:00
  30 2 * * *           | 02:30+01
  30 2 * * * BOTH      | 02:30+01 02:30+00
  */30 2 * * *         | 02:00+01 02:30+01 02:00+00 02:30+00
  0 3 * * *            | 03:00+00

Asia/Tehran 2022-03-22: 00:00 becomes 01:00
  0 0 * * *            | 01:00+0430
  0 0 * * * SKIP       |
  15,45 0 * * *        | 01:00+0430
  */30 0-1 * * *       | 01:00+0430 01:30+0430

Asia/Tehran 2022-09-21: 24:00 becomes 23:00
  30 23 * * *          | 23:30+0430
  30 23 * * * BOTH     | 23:30+0430 23:30+0330
  */30 23 * * *        | 23:00+0430 23:30+0430 23:00+0330 23:30+0330
  59 22 * * *          | 22:59+0430
"""
_MORE = "..."


@dataclass(frozen=True, slots=True)
class Row:
    """What an expression does on one day. `fires` are texts like `02:30+1030`."""

    zone: ZoneInfo
    day: datetime
    text: str
    policies: tuple[GapPolicy, FoldPolicy]
    fires: tuple[str, ...]
    has_more: bool

    @property
    def name(self) -> str:
        """What a test of this row is called."""
        return f"{self.zone.key} {self.day:%Y-%m-%d} {self.text} {self.policies}"

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The instants just before the day and at its last moment."""
        begins = self.day.replace(tzinfo=self.zone).astimezone(UTC)
        ends = (self.day + timedelta(days=1)).replace(tzinfo=self.zone).astimezone(UTC)
        return begins - datetime.resolution, ends - datetime.resolution

    @property
    def schedule(self) -> Schedule:
        """The schedule that the row is about."""
        gap_policy, fold_policy = self.policies
        cron = parse_cron(self.text)
        return Schedule(cron, self.zone, gap_policy=gap_policy, fold_policy=fold_policy)

    def shown(self, instants: list[datetime]) -> tuple[str, ...]:
        """Return instants as the table has them, as many as it has if it leaves some out."""
        texts = tuple(_text(instant.astimezone(self.zone)) for instant in instants)
        return texts[: len(self.fires)] if self.has_more else texts


def rows() -> list[Row]:
    """Return the rows of the table."""
    return list(_read(TABLE))


def _read(table: str) -> Iterator[Row]:
    zone, day = "", ""
    for line in table.strip().splitlines():
        if line.startswith(" "):
            yield _row(zone, day, line)
        elif line:
            zone, day = line.partition(":")[0].split()


def _row(zone: str, day: str, line: str) -> Row:
    text, _, fires = (part.strip() for part in line.partition("|"))
    words = text.split()
    policies = (
        GapPolicy.SKIP if "SKIP" in words else GapPolicy.SHIFT,
        FoldPolicy.BOTH if "BOTH" in words else FoldPolicy.FIRST,
    )
    return Row(
        zone=zone_of(zone),
        day=datetime.fromisoformat(day),
        text=" ".join(word for word in words if not word.isalpha()),
        policies=policies,
        fires=tuple(each for each in fires.split() if each != _MORE),
        has_more=_MORE in fires,
    )


def _text(local: datetime) -> str:
    return f"{local:%H:%M%z}".removesuffix("00")
