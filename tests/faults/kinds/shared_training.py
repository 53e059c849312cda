"""One of two processes that share a training is killed."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path

import psutil

from faults.case import Case, plain_complaint
from faults.experiments import Experiment
from faults.kinds.kind import Kind
from faults.processes import Ended


class ProcessKilled(Kind):
    """SIGKILL under torchrun, which then ends the other one."""

    genuine = 1.0

    def suits(self, experiment: Experiment) -> bool:
        return bool(experiment.launcher)

    def lacks(self, folder: Path) -> str:
        return "" if importlib.util.find_spec("psutil") else "psutil is not installed"

    def befall(self, case: Case) -> bool:
        moment = case.moment()
        command = case.begin()
        struck = False
        if command.until(moment, case.usual):
            processes = psutil.Process(command.pid).children()
            if processes:
                case.generator.choice(processes).send_signal(signal.SIGKILL)
                struck = True
        case.ended.append(command.wait())
        case.verdict.notes.append(f"killed at {moment}")
        return struck

    def complaint(self, case: Case, ended: Ended) -> str:
        """The launcher tells of the death in its own words, a traceback of its own among them."""
        if ended.status == 1 and "Signal 9 (SIGKILL)" in ended.errors:
            return ""
        return plain_complaint(ended)
