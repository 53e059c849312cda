"""One case: a command, a fault, the fault undone, the same command again, and a look at the run."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults.experiments import Experiment, Ground
from faults.looking import Look, look_into
from faults.processes import Command, Ended, forked, real
from faults.stepping import Moment

if TYPE_CHECKING:
    from faults.kinds.kind import Kind
    from faults.places import Place

__all__ = ["Case", "Reference", "Verdict"]

TRIES = 4
"""How often the same command is run again, where a message asks for something first."""


@dataclass(frozen=True)
class Reference:
    """An undisturbed run of an experiment, and what it took."""

    look: Look
    seconds: float
    steps: int


@dataclass
class Verdict:
    """What became of a case.

    Attributes
    ----------
    struck : bool
        Whether the fault came while there was something to disturb.
    continued : bool
        Whether the same command came to its end and the export is the undisturbed one.
    lost, doubled : int
        Stored outcomes that are gone; rows of the export that are there twice.
    complaints : list of str
        Whatever else is not as promised.
    """

    struck: bool = False
    continued: bool = False
    lost: int = 0
    doubled: int = 0
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Case:
    """A fault on a command.

    Attributes
    ----------
    genuine : bool
        Whether commands are processes of their own, as people start them, and not forks.
    """

    number: int
    seed: str
    kind: Kind
    experiment: Experiment
    place: Place
    ground: Ground
    folder: Path
    reference: Reference
    genuine: bool
    verdict: Verdict = field(default_factory=Verdict)
    ended: list[Ended] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    eager: bool = True
    _tags: int = 0

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)
        self.genuine = self.genuine or bool(self.experiment.launcher)
        # Units and checkpoints after every condition and epoch, so that there is more to lose.
        self.eager = self.generator.random() < 0.7

    # ---- running -------------------------------------------------------------------------

    @property
    def words(self) -> list[str]:
        """The command."""
        own = self.experiment.words(self.ground, self.place.out, self.place.cache)
        return [*own, *self.place.words]

    @property
    def usual(self) -> float:
        """Seconds that the command takes undisturbed."""
        return self.reference.seconds

    def moment(self) -> Moment:
        """Draw when something happens to the command."""
        return Moment.drawn(self.generator, 0 if self.genuine else self.reference.steps)

    def begin(
        self, moment: Moment | None = None, *, before: Callable[[], None] = lambda: None,
        prefix: Sequence[str] = (), environment: dict[str, str] | None = None,
        words: Sequence[str] | None = None,
    ) -> Command:  # fmt: skip
        """Begin the command.

        Parameters
        ----------
        moment : Moment or None
            Where it shall wait, if at a step.
        before : callable
            Done first, in a fork.
        """
        words = self.words if words is None else words
        surroundings = {**self.place.environment, **(environment or {})}
        tag = self.tag("command")
        if self.genuine:
            launcher = self.experiment.launcher
            return real(
                words, self.folder, tag, prefix=prefix, environment=surroundings, launcher=launcher
            )

        def first() -> None:
            if self.eager:
                _store_at_once()
            before()

        return forked(
            words, self.folder, tag, at=moment.step if moment else None,
            watched=self.place.watched, before=first, environment=surroundings,
        )  # fmt: skip

    def tag(self, name: str) -> str:
        """Return a new name for a process's output."""
        self._tags += 1
        return f"{self._tags:02d}-{name}"

    def look(self) -> Look:
        """Look at the run from a process of its own."""
        tag = self.tag("look")
        answer = self.folder / f"{tag}.json"
        command = forked(
            (), self.folder, tag, environment=self.place.environment,
            action=lambda: look_into(self.place.out, answer),
        )  # fmt: skip
        ended = command.wait()
        if ended.status:
            raise RuntimeError(f"{self.folder}: the look ended with {ended.errors[-2000:]}")
        return Look(**json.loads(answer.read_text()))

    # ---- judging -------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Do it all."""
        with self.place:
            self.verdict.struck = self.kind.befall(self)
            for ended in self.ended:
                self._complain(self.kind.complaint(self, ended))
            self.kind.undo(self)
            before = self.look() if self.place.begun() else Look()
            after = self._go_on()
            self._compare(before, after)
        return self.verdict

    def _complain(self, text: str) -> None:
        if text:
            self.verdict.complaints.append(text)

    def _go_on(self) -> Look:
        """Run the same command, and do what its messages ask for, until the run can be read."""
        self.kind.again(self)
        words = self.words
        for attempt in range(TRIES):
            ended = self.begin(words=words).wait()
            told = ended.last if ended.status else ""
            look = Look() if told else self.look()
            told = told or look.refusal
            if not told:
                self.verdict.notes.append(f"went on after {attempt + 1} commands")
                return look
            problem = "" if ended.status == 0 else plain_complaint(ended)
            self._complain(problem and f"again: {problem}")
            words = self._follow(told)
            if not words:
                break
        self._complain(f"again: {told}")
        return Look(refusal=told)

    def _follow(self, told: str) -> list[str]:
        """Do what a message asks for, if this kind of fault damages files; return the command."""
        if not self.kind.damages:
            return []
        repairing = self.experiment.repairs and "--repair" in told
        self.damaged |= set(re.findall(r"units/[\w-]+\.parquet", told))
        if repairing and self.generator.random() < 0.5:
            return [*self.words, "--repair"]
        for text in re.findall(rf"{re.escape(str(self.folder))}\S*", told):
            file = Path(text.rstrip(";,:"))
            asked_for = "delete" in told or "move it away" in told
            if asked_for and file.is_file() and file.name != "run.json":
                file.unlink()
                return self.words
        return []

    def _compare(self, before: Look, after: Look) -> None:
        reference, verdict = self.reference.look, self.verdict
        gone = [
            name for name, told in before.units.items()
            if name not in self.damaged and after.units.get(name) != told
        ]  # fmt: skip
        if not after.exported:
            return  # Which is said already: it did not go on.
        verdict.lost += len(gone) + max(0, reference.keys - after.keys)
        verdict.doubled += after.rows - after.keys
        if after.doubled and not self.kind.doubles:
            self._complain(f"{after.doubled} cells stand in two units")
        exact = after.exported == reference.exported
        if not exact and self.kind.approximate:
            exact = (after.rows, after.keys) == (reference.rows, reference.keys)
            same = after.predictions == reference.predictions
            verdict.notes.append(f"predictions {'equal' if same else 'differ'}")
        if not exact:
            self._complain("the export differs")
        verdict.continued = exact
        if exact and not self.kind.approximate and after.weights != reference.weights:
            self._complain("kept weights differ")
        if after.checkpoints:
            self._complain(f"{after.checkpoints} checkpoints stay")
        if self.experiment.name == "scan" and (ours := _shards(after)) != _shards(reference):
            self._complain(f"pictures of {ours}, not of {_shards(reference)}")
        if after.leftovers:
            verdict.notes.append(f"{after.leftovers} temporary files stay")

    def record(self) -> dict[str, Any]:
        """Return the case for the protocol."""
        return {
            "case": self.number, "seed": self.seed, "kind": self.kind.name,
            "experiment": self.experiment.name, "place": self.place.name,
            "process": "real" if self.genuine else "fork", "eager": self.eager,
            "ended": [[one.status, one.last[-300:]] for one in self.ended],
            **vars(self.verdict),
        }  # fmt: skip

    def clean(self) -> None:
        """Remove the case's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def plain_complaint(ended: Ended, signals: Sequence[int] = (), said: str = "") -> str:
    """Say what is wrong with how a command ended; nothing where it is as promised.

    Parameters
    ----------
    signals : sequence of int
        Those that it may die of.
    said : str
        What the error must say, as a regular expression.
    """
    if ended.hung:
        return f"hangs: {' | '.join(ended.errors.splitlines()[-12:])}"
    if "Traceback" in ended.errors or "Exception ignored" in ended.errors:
        return f"traceback: {' | '.join(ended.errors.strip().splitlines()[-6:])}"
    if ended.status == 0 or -ended.status in signals:
        return ""
    if ended.status == 75:
        return "" if ended.last.startswith("stopped after ") else f"75 with {ended.last!r}"
    if ended.status == 1:
        lines = [line for line in ended.errors.splitlines() if line.startswith("Error: ")]
        if lines != [ended.last]:
            return f"1 with {lines} and at last {ended.last!r}"
        return "" if re.search(said, ended.last) else f"the error does not say why: {ended.last}"
    return f"status {ended.status}: {ended.last!r}"


def _shards(look: Look) -> list[str]:
    """Return the beginnings of the pictures' names, which do not tell in which unit they came."""
    return sorted({os.path.basename(name).partition("-")[0] for name in look.pictures})  # noqa: PTH119


def _store_at_once() -> None:
    import lpa.experiments.probe_worker
    import lpa.measurement
    import lpa.training.loop

    lpa.measurement.FLUSH_SECONDS = -1.0
    lpa.training.loop.CHECKPOINT_SECONDS = -1.0
    lpa.experiments.probe_worker.CHECKPOINT_SECONDS = -1.0
