"""An object store that fails."""

from __future__ import annotations

import importlib.util
import signal
import time
from pathlib import Path

from faults.case import Case
from faults.kinds.kind import Kind
from faults.places import Bucket


class ComesBack(Kind):
    """It refuses connections for a second or two; the command waits for it."""

    places = ("s3",)
    said = "nothing may fail"
    genuine = 0.0

    def lacks(self, folder: Path) -> str:
        missing = [name for name in ("moto", "s3fs") if importlib.util.find_spec(name) is None]
        return f"{missing[0]} is not installed" if missing else ""

    def befall(self, case: Case) -> bool:
        assert isinstance(case.place, Bucket)
        moment = case.moment()
        command = case.begin(moment, before=self.arm)
        struck = command.until(moment, case.usual)
        self.fail(case.place)
        command.release()
        self.wait(case)
        self.undo_at(case.place)
        case.ended.append(command.wait())
        case.verdict.notes.append(f"the store fails at {moment}")
        return struck

    def arm(self) -> None:
        """Change the command's process first."""

    def fail(self, place: Bucket) -> None:
        place.ask("stop")

    def wait(self, case: Case) -> None:
        time.sleep(case.generator.uniform(0.3, 2))

    def undo_at(self, place: Bucket) -> None:
        place.ask("start")


class Hangs(ComesBack):
    """It takes connections and does not answer for a while."""

    def fail(self, place: Bucket) -> None:
        place.server.send_signal(signal.SIGSTOP)

    def undo_at(self, place: Bucket) -> None:
        place.server.send_signal(signal.SIGCONT)


class StaysAway(ComesBack):
    """It stays away for longer than the command's patience, which is a second here."""

    said = "does not answer .*; what was finished is kept: check the address and the network"

    def arm(self) -> None:
        from lpa.outcomes import object_store

        object_store.PATIENCE = object_store.FIRST_PATIENCE = 1.0

    def wait(self, case: Case) -> None:
        time.sleep(4)
