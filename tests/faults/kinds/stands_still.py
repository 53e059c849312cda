"""A process that stands still for a while, as on a laptop that sleeps."""

from __future__ import annotations

import signal
import time

from faults.case import Case
from faults.kinds.kind import Kind


class StandsStill(Kind):
    """SIGSTOP, and SIGCONT after a second."""

    said = "nothing may fail"

    def befall(self, case: Case) -> bool:
        moment = case.moment()
        command = case.begin(moment)
        struck = command.until(moment, case.usual)
        command.send(signal.SIGSTOP)
        command.release()
        time.sleep(case.generator.uniform(0.2, 1.5))
        command.send(signal.SIGCONT)
        case.ended.append(command.wait())
        case.verdict.notes.append(f"stopped at {moment}")
        return struck
