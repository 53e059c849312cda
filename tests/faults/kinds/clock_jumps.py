"""A clock that jumps while a command runs."""

from __future__ import annotations

import datetime
import mmap
import struct
import time
from pathlib import Path
from typing import Any

from faults.case import Case
from faults.kinds.kind import Kind

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Of Debian's package ``faketime``."""

YEAR = 365 * 86_400


class ClockJumps(Kind):
    """Years forwards or backwards, for real processes by libfaketime where that is there."""

    genuine = 0.4 if LIBRARY.exists() else 0.0
    said = "nothing may fail"

    def befall(self, case: Case) -> bool:
        jumps = [case.generator.uniform(-8, 8) * YEAR for _ in range(3)]
        moment = case.moment()
        if case.genuine:
            file = case.folder / "clock"
            file.write_text("+0\n")
            command = case.begin(
                environment={
                    "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(file),
                    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                }
            )  # fmt: skip
        else:
            offset = mmap.mmap(-1, 8)
            offset.write(struct.pack("d", jumps[2]))
            command = case.begin(moment, before=lambda: _follow(offset))
        struck = command.until(moment, case.usual)
        for jump in jumps[:2]:
            if case.genuine:
                file.write_text(f"{jump:+.0f}\n")
            else:
                offset.seek(0)
                offset.write(struct.pack("d", jump))
            command.release()
            time.sleep(0.05)
        case.ended.append(command.wait())
        case.verdict.notes.append(f"jumps at {moment}")
        return struck


def _follow(offset: mmap.mmap) -> None:
    """Let this process's clock be off by what stands in shared memory."""
    right, of_the_system = time.time, datetime.datetime

    def shifted() -> float:
        return right() + float(struct.unpack("d", offset[:8])[0])

    class Jumping(of_the_system):
        @classmethod
        def now(cls, tz: Any = None) -> datetime.datetime:
            return of_the_system.fromtimestamp(shifted(), tz)

    time.time = shifted
    module: Any = type("module", (), {"datetime": Jumping, "UTC": datetime.UTC})
    import lpa.experiments.cell_task
    import lpa.experiments.scan_task

    for place in (lpa.experiments.cell_task, lpa.experiments.scan_task):
        place.datetime = module
