"""What policies are made for in tests: four classes, four values of random_crop, small views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from synthetic import made_up_samples

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.models.loaded import LoadedModel
from lpa.outcomes import Samples
from lpa.training.policies import build_policy, parse_policy
from lpa.training.policies.context import PolicyContext
from lpa.training.policies.policy import Policy
from lpa.training.regularizers import parse_regularizer
from lpa.views import View

CLASSES = Classes(("c000", "c001", "c002", "c003"), ("barn spider", "canoe", "paddle", "oar"))
VIEW = View((8, 8), (8, 8), "short_side", "bilinear")


def no_teacher(text: str) -> LoadedModel:
    raise AssertionError(f"no policy but distillation asks for {text}")


def context(
    regularizer: str = "random_crop",
    values: Sequence[float] = (1.0, 0.5, 0.08),
    classes: Classes = CLASSES,
    evaluated: Samples | None = None,
    teacher: object = no_teacher,
    held_out: Sequence[int] | None = None,
) -> PolicyContext:
    made = parse_regularizer(regularizer)
    return PolicyContext(
        classes=classes,
        regularizer=made,
        axis=made.axis,
        values=tuple(values),
        view=VIEW,
        device=torch.device("cpu"),
        evaluated=made_up_samples(4, 20) if evaluated is None else evaluated,
        teacher=teacher,  # type: ignore[arg-type]
        held_out=None if held_out is None else np.array(held_out, dtype=np.int64),
    )


def made(text: str, **changes: object) -> Policy:
    return build_policy(parse_policy(text), context(**changes))  # type: ignore[arg-type]


def refusal(text: str, **changes: object) -> str:
    """What is said when a policy cannot be made; an empty text where it can."""
    try:
        made(text, **changes)
    except InputError as error:
        return str(error)
    return ""
