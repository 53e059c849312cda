"""A disk that cannot be written from some moment on, as after an error of its hardware."""

from __future__ import annotations

from pathlib import Path

from faults.case import Case
from faults.kinds.kind import Kind
from faults.places import Disk, can_mount


class ReadOnly(Kind):
    """A disk is really remounted read-only, which stops root too."""

    places = ("disk",)
    said = "cannot write .*read-only file system"

    def lacks(self, folder: Path) -> str:
        return can_mount(folder)

    def befall(self, case: Case) -> bool:
        assert isinstance(case.place, Disk)
        moment = case.moment()
        command = case.begin(moment)
        struck = command.until(moment, case.usual)
        done = case.place.writable(False)
        command.release()
        case.ended.append(command.wait())
        case.verdict.notes.append(f"read-only at {moment}")
        return struck and done

    def undo(self, case: Case) -> None:
        assert isinstance(case.place, Disk)
        assert case.place.writable(True)
