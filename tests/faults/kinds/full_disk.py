"""A disk that is full from some moment on."""

from __future__ import annotations

from pathlib import Path

from faults.case import Case
from faults.kinds.kind import Kind
from faults.places import Disk, can_mount


class FullDisk(Kind):
    """A disk of a few megabytes is really filled, but for a little."""

    places = ("disk",)
    said = "^Error: .*no space left on the disk|are free; free some space"

    def lacks(self, folder: Path) -> str:
        return can_mount(folder)

    def befall(self, case: Case) -> bool:
        assert isinstance(case.place, Disk)
        moment = case.moment()
        command = case.begin(moment)
        struck = command.until(moment, case.usual)
        left = case.generator.choice([0, 0, case.generator.randrange(40_000)])
        case.place.fill(left)
        command.release()
        case.ended.append(command.wait())
        case.verdict.notes.append(f"{left} bytes left at {moment}")
        return struck

    def undo(self, case: Case) -> None:
        assert isinstance(case.place, Disk)
        case.place.ballast.unlink()
