"""SIGKILL of the command, at any moment."""

from __future__ import annotations

import signal

from faults.case import Case
from faults.kinds.kind import Kind


class KilledDriver(Kind):
    """Killed once, as by the machine's owner or by the kernel that lacks memory."""

    places = ("folder", "folder", "folder", "s3")
    signals = (signal.SIGKILL,)
    times = 1
    genuine = 0.3

    def befall(self, case: Case) -> bool:
        struck = False
        for _ in range(self.times):
            moment = case.moment()
            command = case.begin(moment)
            if command.until(moment, case.usual):
                command.send(signal.SIGKILL)
            command.release()
            case.ended.append(command.wait())
            struck = struck or case.ended[-1].status == -signal.SIGKILL
            case.verdict.notes.append(f"killed at {moment}")
        return struck


class KilledTwice(KilledDriver):
    """Killed, begun again, and killed again."""

    times = 2
    genuine = 0.0
