"""Workers and nodes of a Ray cluster that are lost, in the middle of a run."""

from __future__ import annotations

import importlib.util
import signal
import time
from pathlib import Path

import psutil

from faults.case import Case
from faults.experiments import Experiment
from faults.kinds.kind import Kind
from faults.places import Nodes


class WorkerKilled(Kind):
    """SIGKILL of the process of a worker; its unit is done by another."""

    places = ("ray",)
    said = "nothing may fail"
    genuine = 0.3
    # A worker that is killed behind its put did the unit, and nobody has heard of it.
    doubles = True

    def suits(self, experiment: Experiment) -> bool:
        return experiment.computes and experiment.distributes

    def lacks(self, folder: Path) -> str:
        missing = [name for name in ("ray", "psutil") if importlib.util.find_spec(name) is None]
        return f"{missing[0]} is not installed" if missing else ""

    def befall(self, case: Case) -> bool:
        assert isinstance(case.place, Nodes)
        moment = case.moment()
        command = case.begin(moment)
        command.until(moment, case.usual)
        command.release()
        struck = False
        while command.alive and not struck:
            struck = self.strike(case.place)
            time.sleep(0.02)
        case.ended.append(command.wait())
        case.verdict.notes.append(f"at {moment} or later")
        return struck

    def strike(self, place: Nodes) -> bool:
        """Do it, if there is a worker; return whether there was."""
        return self._send(place, signal.SIGKILL) is not None

    def _send(self, place: Nodes, number: signal.Signals) -> psutil.Process | None:
        for worker in place.workers():
            try:
                worker.send_signal(number)
            except psutil.Error:
                continue
            return worker
        return None


class WorkerHangs(WorkerKilled):
    """A worker stands still for good; ``--unit-time`` ends and replaces it."""

    def strike(self, place: Nodes) -> bool:
        return self._send(place, signal.SIGSTOP) is not None


class NodeLost(WorkerKilled):
    """A machine with what runs there is gone."""

    def strike(self, place: Nodes) -> bool:
        if not place.workers():
            return False
        place.ask("lose")
        return True

    def undo(self, case: Case) -> None:
        assert isinstance(case.place, Nodes)
        if case.verdict.struck:
            case.place.ask("add")
