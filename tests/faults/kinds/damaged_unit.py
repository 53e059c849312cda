"""A file of outcomes that is not what was written."""

from __future__ import annotations

import re
from pathlib import Path

from faults.case import Case
from faults.kinds.kind import Kind, corrupt


class DamagedUnit(Kind):
    """Truncated, emptied, a bit flipped, or of another run; the command before it was killed or
    came to its end."""

    damages = True
    said = "is damaged|holds samples that are not this run's"

    def befall(self, case: Case) -> bool:
        begin_and_leave(case)
        units = sorted(Path(case.place.out).glob("units/*.parquet"))
        if not units:
            return False
        file = case.generator.choice(units)
        foreign = case.generator.choice(sorted(case.ground.source.glob("units/*.parquet")))
        data, how = corrupt(file.read_bytes(), case.generator, foreign.read_bytes())
        if how == "foreign" and case.generator.random() < 0.5:
            file = file.with_name(foreign.name)  # Beside the run's own.
        file.write_bytes(data)
        case.verdict.notes.append(f"{file.name} {how}")
        case.damaged.add(f"units/{file.name}")
        self._look(case)
        case.ended.append(case.begin().wait())
        return True

    def _look(self, case: Case) -> None:
        """Nothing reads wrong outcomes: what cannot be right is refused by its name."""
        look = case.look()
        reference = case.reference.look
        if look.exported and look.keys >= reference.keys and look.exported != reference.exported:
            case.verdict.complaints.append("damaged outcomes are exported")
        if look.refusal and not re.search(self.said, look.refusal):
            case.verdict.complaints.append(f"the refusal does not say why: {look.refusal}")


def begin_and_leave(case: Case, whole: float = 0.5) -> None:
    """Run the command to its end, or only to some moment."""
    from faults.kinds.killed_driver import KilledDriver

    if case.generator.random() < whole:
        case.begin().wait()
        return
    KilledDriver().befall(case)
    case.ended.clear()
