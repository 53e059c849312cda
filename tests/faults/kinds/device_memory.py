"""A device without memory for a batch: torch.OutOfMemoryError out of a module."""

from __future__ import annotations

from typing import Any

from faults.case import Case
from faults.experiments import Experiment
from faults.kinds.kind import Kind

MOST = 60
"""Passes of modules among which the failing one is drawn."""


class EndsOnce(Kind):
    """One pass fails: batches are cut, and the outcomes differ by rounding at most."""

    genuine = 0.0
    lasting = False
    approximate = True

    def suits(self, experiment: Experiment) -> bool:
        return experiment.computes and not experiment.launcher

    def befall(self, case: Case) -> bool:
        first = case.generator.randint(1, MOST)
        mark = case.folder / "raised"

        def arm() -> None:
            import torch

            passes = 0

            def fail(*_: Any) -> None:
                nonlocal passes
                passes += 1
                if passes == first or (self.lasting and passes > first):
                    mark.touch()
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

            torch.nn.modules.module.register_module_forward_pre_hook(fail)

        case.ended.append(case.begin(before=arm).wait())
        case.verdict.notes.append(f"pass {first} fails")
        return mark.exists()


class Ends(EndsOnce):
    """No pass succeeds from some moment on."""

    lasting = True
    approximate = False
    said = "(?i)memory"
