"""The memory of the process ends at some moment."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

from faults.case import Case
from faults.kinds.kind import Kind


class MemoryEnds(Kind):
    """The address space of the running process is limited to little more than it has (prlimit).

    A library that cannot go on without memory aborts the process: that is a death like any other.
    """

    signals = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)
    # The last is what oneDNN says.
    said = "(?i)memory|can't start new thread|could not create a primitive"
    genuine = 0.3

    def befall(self, case: Case) -> bool:
        moment = case.moment()
        command = case.begin(moment)
        struck = command.until(moment, case.usual)
        extra = case.generator.choice([0, 1, 4, 16, 64]) * 2**20
        if struck:
            pages = int(Path(f"/proc/{command.pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + extra
            resource.prlimit(command.pid, resource.RLIMIT_AS, (limit, limit))
        command.release()
        case.ended.append(command.wait())
        case.verdict.notes.append(f"{extra >> 20} MiB left at {moment}")
        return struck
