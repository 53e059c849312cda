"""The state of an unfinished training that is not what was written."""

from __future__ import annotations

import signal
from pathlib import Path

from faults.case import Case
from faults.experiments import Experiment
from faults.kinds.kind import Kind, corrupt
from faults.stepping import Moment

ATTEMPTS = 8


class DamagedCheckpoint(Kind):
    """Truncated, emptied, a bit flipped, or another training's."""

    genuine = 0.0
    doubles = False

    def suits(self, experiment: Experiment) -> bool:
        return experiment.trains and not experiment.launcher

    def befall(self, case: Case) -> bool:
        case.eager = True
        folder = Path(case.place.out) / "checkpoints"
        for _ in range(ATTEMPTS):
            # In the second half, where checkpoints are.
            steps = case.reference.steps
            moment = Moment(step=case.generator.randint(steps // 2, steps))
            command = case.begin(moment)
            if command.until(moment, case.usual):
                command.send(signal.SIGTERM)
            command.release()
            command.wait()
            if files := sorted(folder.glob("*.pt")):
                break
        else:
            return False
        file = case.generator.choice(files)
        data, how = corrupt(file.read_bytes(), case.generator)
        file.write_bytes(data)
        case.verdict.notes.append(f"{file.name} {how}")
        case.ended.append(case.begin().wait())
        return True
