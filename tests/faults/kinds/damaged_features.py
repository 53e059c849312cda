"""A cached file of features, or one that is being made, that is not what was written."""

from __future__ import annotations

from faults.case import Case
from faults.experiments import Experiment
from faults.kinds.damaged_unit import begin_and_leave
from faults.kinds.kind import Kind, corrupt


class DamagedFeatures(Kind):
    """Truncated, emptied, a bit flipped, or replaced by another one."""

    damages = True
    said = r"is damaged|cut short|is no feature file|holds features"

    def suits(self, experiment: Experiment) -> bool:
        return experiment.features

    def befall(self, case: Case) -> bool:
        begin_and_leave(case, 0.1)
        files = sorted(case.place.cache.glob("*.features")) + sorted(case.place.cache.glob(".*"))
        if not files:
            return False
        file = case.generator.choice(files)
        other = case.generator.choice(files).read_bytes()
        data, how = corrupt(file.read_bytes(), case.generator, other)
        file.write_bytes(data)
        case.verdict.notes.append(f"{file.name} {how}")
        case.ended.append(case.begin().wait())
        return True
