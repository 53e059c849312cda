"""Ctrl-C, what batch systems send, and impatience."""

from __future__ import annotations

import signal
import time

from faults.case import Case, plain_complaint
from faults.kinds.kind import Kind
from faults.processes import Ended

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Interrupted(Kind):
    """Ctrl-C."""

    number = signal.SIGINT
    genuine = 0.3

    def befall(self, case: Case) -> bool:
        moment = case.moment()
        command = case.begin(moment)
        struck = command.until(moment, case.usual)
        if struck:
            command.send(self.number)
        command.release()
        case.ended.append(command.wait())
        case.verdict.notes.append(f"{self.number.name} at {moment}")
        return struck

    def complaint(self, case: Case, ended: Ended) -> str:
        """Before a command listens, its process dies of the signal, as any does."""
        if ended.status == -self.number or (ended.status == 1 and ended.last == "Aborted!"):
            return ""
        return plain_complaint(ended, self.signals, "interrupted; the same command goes on")


class Terminated(Interrupted):
    """SIGTERM, as batch systems and containers send."""

    number = signal.SIGTERM


class Requeued(Interrupted):
    """SIGUSR1, which Slurm sends before the time is up."""

    number = signal.SIGUSR1


class TwoSignals(Interrupted):
    """The second one interrupts at once."""

    def befall(self, case: Case) -> bool:
        first, second = case.generator.choices(NUMBERS, k=2)
        moment = case.moment()
        command = case.begin(moment)
        struck = command.until(moment, case.usual)
        if struck:
            command.send(first)
        command.release()
        time.sleep(case.generator.choice([0.0, 0.01, 0.05, 0.2]))
        command.send(second)
        case.ended.append(command.wait())
        case.verdict.notes.append(f"{first.name} at {moment}, then {second.name}")
        return struck

    def complaint(self, case: Case, ended: Ended) -> str:
        if -ended.status in NUMBERS:
            return ""
        return super().complaint(case, ended)
