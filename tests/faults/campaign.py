"""Random faults over all experiments, and what became of them.

    python tests/faults/campaign.py --faults 200 --seed 0 --table table.md

Each case runs a command, lets something befall it at a random moment, undoes that, runs the same
command again, and compares the export with an undisturbed run's, byte for byte. The plan of faults
depends on the seed alone. A line of JSON for each case goes to --protocol.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
TURNS = 3
"""How often a case is begun anew, at another moment, when its fault came too late to strike."""

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> int:
    """Run the campaign; the status is 1 where anything was not as promised."""
    asked = _asked()
    from faults.places import Nodes
    from faults.table import summary, table

    folder = Path(asked.folder or tempfile.mkdtemp(prefix="faults-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    import_all()
    campaign = Campaign(folder, asked.seed, asked.kinds or (), asked.experiments or (), asked.real)
    records = []
    with Path(asked.protocol or folder / "protocol.jsonl").open("a") as protocol:
        for record in campaign.records(asked.faults, asked.one_of_each, asked.only):
            records.append(record)
            protocol.write(json.dumps(record) + "\n")
            protocol.flush()
            print(summary(record), file=sys.stderr, flush=True)
    Nodes.end()
    text = table(records, campaign.skipped, asked.seed)
    if asked.table:
        Path(asked.table).write_text(text)
    print(text)
    bad = any(record["complaints"] or not record["continued"] for record in records)
    if not bad and not asked.folder:
        shutil.rmtree(folder)
    return int(bad)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faults", type=int, default=200, help="faults that strike")
    parser.add_argument("--one-of-each", action="store_true", help="one fault of each kind instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of cases to run again")
    parser.add_argument("--kinds", nargs="*", help="kinds of faults [default: all]")
    parser.add_argument("--experiments", nargs="*", help="experiments [default: all]")
    parser.add_argument("--real", type=float, default=1.0, help="at most this share as processes")
    parser.add_argument("--table", help="file for the table")
    parser.add_argument("--protocol", help="file for a line of JSON per case")
    parser.add_argument("--folder", help="where to work; it is kept [default: a temporary folder]")
    return parser.parse_args()


def import_all() -> None:
    """Import what the commands need, once; forks have it."""
    for name in (
        "lpa", "lpa_cli", "lpa_cli.scan", "lpa_cli.train_sweep", "lpa_cli.probe",
        "lpa_cli.import_", "lpa.experiments.scan", "lpa.experiments.train_sweep",
        "lpa.experiments.probe", "lpa.importing", "lpa.models.untrained", "timm", "torchvision",
        "kornia", "pandas", "pyarrow.parquet", "sklearn.datasets", "safetensors.torch", "tiny",
        "torch._dynamo", "moto.server", "s3fs",
    ):  # fmt: skip
        try:
            __import__(name)
        except ImportError:
            if name not in ("moto.server", "s3fs", "kornia"):
                raise


class Campaign:
    """The cases of one seed.

    Attributes
    ----------
    skipped : dict of str to str
        Kinds that this machine cannot do, and why.
    """

    def __init__(
        self, folder: Path, seed: int, kinds: Collection[str] = (),
        experiments: Collection[str] = (), real: float = 1.0,
    ) -> None:  # fmt: skip
        from faults.experiments import EXPERIMENTS, Ground
        from faults.kinds import KINDS, kind_named

        self.folder, self.seed, self.real = folder, seed, real
        self.skipped: dict[str, str] = {}
        self.kinds = []
        for name in KINDS:
            kind = kind_named(name)
            if kinds and name not in kinds:
                continue
            if reason := kind.lacks(folder):
                self.skipped[name] = reason
            else:
                self.kinds.append(kind)
        self.experiments = [
            one for name, one in EXPERIMENTS.items() if not experiments or name in experiments
        ]
        self.ground = Ground(folder / "ground")
        self.references: dict[str, Any] = {}

    def plan(self) -> Iterator[tuple[int, Any, Any, random.Random]]:
        """Yield numbers, kinds, experiments and generators: rounds over all kinds, mixed."""
        order = random.Random(f"{self.seed}")
        number = itertools.count(1)
        turns: dict[str, Iterator[Any]] = {}
        for kind in self.kinds:
            suited = [one for one in self.experiments if kind.suits(one)]
            order.shuffle(suited)
            turns[kind.name] = itertools.cycle(suited)
        while turns:
            for kind in order.sample(self.kinds, len(self.kinds)):
                if (experiment := next(turns[kind.name], None)) is not None:
                    at = next(number)
                    yield at, kind, experiment, random.Random(f"{self.seed}-{at}")

    def records(
        self, faults: int, one_of_each: bool = False, only: Sequence[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Run cases until so many faults struck; yield what became of each."""
        struck = 0
        for number, kind, experiment, generator in self.plan():
            if only is not None and number > max(only, default=0):
                return
            if only is not None and number not in only:
                continue
            if one_of_each and number > len(self.kinds):
                return
            for turn in range(TURNS):
                record = self._run(number, turn, kind, experiment, generator)
                if record["struck"] or record["complaints"]:
                    break
            yield record
            struck += record["struck"]
            if struck >= faults:
                return

    def _run(
        self, number: int, turn: int, kind: Any, experiment: Any, generator: random.Random
    ) -> dict[str, Any]:
        from faults.case import Case
        from faults.places import PLACES

        place = PLACES[generator.choice(kind.places)]
        genuine = generator.random() < min(kind.genuine, self.real)
        folder = self.folder / f"case{number:04d}"
        shutil.rmtree(folder, ignore_errors=True)
        seed = f"{self.seed}-{number}-{turn}"
        reference = self.reference(experiment, place, genuine)
        case = Case(
            number, seed, kind, experiment, place(folder), self.ground, folder, reference, genuine
        )  # fmt: skip
        began = time.monotonic()
        try:
            case.run()
        except Exception as error:  # The campaign's own failure is not the command's.
            case.verdict.complaints.append(f"the campaign failed: {type(error).__name__}: {error}")
        if case.verdict.continued and not case.verdict.complaints:
            case.clean()
        return {**case.record(), "seconds": round(time.monotonic() - began, 1)}

    def reference(self, experiment: Any, place: Any, genuine: bool) -> Any:
        """Return the undisturbed run of an experiment at a place, which is run once."""
        genuine = genuine or bool(experiment.launcher)
        key = experiment.name, place.name if place.name in ("s3", "ray") else "", genuine
        if key not in self.references:
            self.references[key] = found = self._undisturbed(experiment, place, genuine)
            for (name, *_), other in self.references.items():
                if name == experiment.name and other.look.exported != found.look.exported:
                    raise RuntimeError(f"{name}: undisturbed runs differ")
        return self.references[key]

    def _undisturbed(self, experiment: Any, place: Any, genuine: bool) -> Any:
        from faults.case import Case, Reference
        from faults.kinds.kind import Kind
        from faults.looking import Look

        if not self.ground.folder.exists():
            self.ground.folder.mkdir(parents=True)
            self.ground.lay(self._command)
        folder = self.folder / "undisturbed"
        shutil.rmtree(folder, ignore_errors=True)
        none = Reference(Look(), 0, 0)
        case = Case(
            0, "0", Kind(), experiment, place(folder), self.ground, folder, none, genuine
        )  # fmt: skip
        case.eager = True
        with case.place:
            ended = case.begin().wait()
            look = case.look() if ended.status == 0 else Look()
        if not look.exported:
            raise RuntimeError(f"undisturbed: {ended.errors} {look.refusal}")
        case.clean()
        return Reference(look, ended.seconds, ended.steps)

    def _command(self, words: Sequence[str]) -> None:
        from faults.processes import forked

        ended = forked(words, self.ground.folder, "laying").wait()
        if ended.status:
            raise RuntimeError(ended.errors)


if __name__ == "__main__":
    # A shell lets what runs behind it ignore Ctrl-C, and commands would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Torch must not have begun threads before the forks.
    os.environ.update(THREADS)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, str(TESTS))
    sys.exit(main())
