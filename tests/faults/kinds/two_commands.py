"""The same command twice at once on one store."""

from __future__ import annotations

import signal

from faults.case import Case
from faults.kinds.kind import Kind


class TwoCommands(Kind):
    """Begun together or one after the other; now and then one of them is killed."""

    places = ("folder", "folder", "s3")
    signals = (signal.SIGKILL,)
    said = "another run was begun in"
    doubles = True

    def befall(self, case: Case) -> bool:
        moment = case.moment()
        first = case.begin(moment)
        struck = first.until(moment, case.usual)
        second = case.begin()
        first.release()
        if case.generator.random() < 0.3:
            victim = case.generator.choice([first, second])
            later = case.moment()
            if later.step is None:
                victim.until(later, case.usual)
            victim.send(signal.SIGKILL)
        case.ended += [first.wait(), second.wait()]
        case.verdict.notes.append(f"the second came at {moment}")
        return struck
