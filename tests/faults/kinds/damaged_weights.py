"""A file of weights that a sweep kept, and that a probe reads, is not what was written."""

from __future__ import annotations

from pathlib import Path

from faults.case import Case
from faults.experiments import Experiment
from faults.kinds.kind import Kind, corrupt


class DamagedWeights(Kind):
    """Truncated, emptied, or a bit flipped; refused by its name until it is whole again."""

    said = "weights '.*' are damaged"
    file: Path | None = None
    right = b""

    def suits(self, experiment: Experiment) -> bool:
        return experiment.features

    def befall(self, case: Case) -> bool:
        files = sorted(case.ground.source.glob("weights/*.safetensors"))
        self.file = case.generator.choice(files)
        self.right = self.file.read_bytes()
        data, how = corrupt(self.right, case.generator)
        self.file.write_bytes(data)
        case.verdict.notes.append(f"{self.file.name} {how}")
        case.ended.append(case.begin().wait())
        if case.ended[-1].status == 0:
            case.verdict.complaints.append(f"{self.file.name} is read though it is damaged")
        return True

    def undo(self, case: Case) -> None:
        if self.file is not None:
            self.file.write_bytes(self.right)
