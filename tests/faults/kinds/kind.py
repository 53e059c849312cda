"""What a kind of fault says of itself, and what most have alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from faults.case import Case, plain_complaint
from faults.experiments import Experiment
from faults.processes import Ended

__all__ = ["Kind", "corrupt"]


class Kind:
    """A kind of fault.

    Attributes
    ----------
    name : str
        As in the register.
    places : sequence of str
        Where runs lie that it befalls.
    genuine : float
        Share of the cases whose commands are processes of their own.
    signals : sequence of int
        Signals that a disturbed command may die of.
    said : str
        What the error of a disturbed command must say: a regular expression.
    damages : bool
        Whether it damages files, so that a message may ask for their removal first.
    doubles : bool
        Whether cells may be computed twice.
    approximate : bool
        Whether outcomes may differ in their last digits.
    """

    name = ""
    places: Sequence[str] = ("folder",)
    genuine = 0.2
    signals: Sequence[int] = ()
    said = ""
    damages = False
    doubles = False
    approximate = False

    def suits(self, experiment: Experiment) -> bool:
        """Whether it can befall an experiment."""
        return not experiment.launcher

    def lacks(self, folder: Path) -> str:
        """Return what this machine lacks for it; nothing where it can be."""
        return ""

    def befall(self, case: Case) -> bool:
        """Run the command and disturb it; return whether the fault struck."""
        raise NotImplementedError

    def undo(self, case: Case) -> None:
        """Take the cause away."""

    def again(self, case: Case) -> None:
        """Do what comes before the same command is run again."""

    def complaint(self, case: Case, ended: Ended) -> str:
        """Say what is wrong with how a disturbed command ended."""
        return plain_complaint(ended, self.signals, self.said)


def corrupt(data: bytes, generator: random.Random, other: bytes = b"") -> tuple[bytes, str]:
    """Damage the bytes of a file; return them and what was done.

    Parameters
    ----------
    other : bytes
        Of a file of another run; none where there is no such damage.
    """
    ways = ["truncated", "flipped", "flipped", "emptied", *(["foreign"] if other else [])]
    how = generator.choice(ways)
    if how == "foreign":
        return other, how
    if how == "emptied" or not data:
        return b"", "emptied"
    place = generator.randrange(len(data))
    if how == "truncated":
        return data[:place], f"truncated at {place} of {len(data)}"
    flipped = bytearray(data)
    flipped[place] ^= 1 << generator.randrange(8)
    return bytes(flipped), f"flipped a bit of byte {place} of {len(data)}"
