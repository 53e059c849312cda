"""Which backbones are probed: models that a sweep kept, pretrained ones, checkpoints by pattern.

Nothing is loaded here: listing the backbones of a run reads the headers of its files alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lpa.axes import Axis, format_value
from lpa.errors import InputError
from lpa.models import ModelSpec, PreprocessingOverrides, load, parse_models
from lpa.models.checkpoint_pattern import find_checkpoints
from lpa.models.kept_models import KeptModel, find_kept, run_location
from lpa.models.loaded import LoadedModel
from lpa.outcomes import Store, read_objects

__all__ = ["Backbone", "find_backbones"]

_PATTERN = re.compile(r"\{\w*\}")
_PATH = re.compile(r"[^@:]*/[^@:]*")
"""A place and nothing else: no name of a model has a slash without ``hf-hub:`` before it."""


@dataclass(frozen=True)
class Backbone:
    """One frozen network, with its place in the sweep that it comes from.

    Attributes
    ----------
    name : str
        Name of the model in its sweep, policies included: that of the probe's cells. A pretrained
        model's own name.
    axis : Axis or None
        What was varied in its pre-training; None for a pretrained model.
    value : float or None
        On the axis.
    replicate : int
        Number of its training seed, from 0.
    spec : ModelSpec
        What is loaded; its name is readable and unique among the backbones.
    facts : mapping
        ``source`` ("run", "checkpoint", "pretrained"), ``text`` (what asks for it alone) and, by
        source, ``run``, ``architecture``, ``fingerprint`` (of the data that it was trained on),
        ``classes``; ``file``, ``seed``.
    overrides : PreprocessingOverrides
        In place of its own preprocessing.
    """

    name: str
    axis: Axis | None
    value: float | None
    replicate: int
    spec: ModelSpec
    facts: Mapping[str, Any]
    overrides: PreprocessingOverrides = field(default_factory=PreprocessingOverrides)

    @property
    def place(self) -> tuple[str, str | None, float | None, int]:
        """Model, axis, value and replicate of the probe's cell."""
        return self.name, None if self.axis is None else self.axis.name, self.value, self.replicate

    def load(self) -> LoadedModel:
        """Load it; its outputs need no names, as features are what is taken of it.

        Raises
        ------
        InputError
            As :func:`lpa.models.load`.
        """
        return load(self.spec, overrides=self.overrides, named=False)


def find_backbones(
    asked: Any,
    *,
    model: str | None = None,
    axis: Axis | None = None,
    overrides: PreprocessingOverrides | None = None,
) -> list[Backbone]:
    """Find the backbones that are asked for.

    Parameters
    ----------
    asked : str, Model, sequence of these, or mapping
        As :func:`lpa.models.parse_models` takes it: ``runs/digits`` or ``run:runs/digits`` stands
        for every model that the sweep kept, ``run:runs/digits#random_crop=0.3`` for some of them,
        ``resnet50,vit_s`` for pretrained ones. Or a pattern of checkpoints with ``{value}``
        (:func:`lpa.models.checkpoint_pattern.find_checkpoints`).
    model : str or None
        Architecture of the checkpoints; ``NAME=ARCHITECTURE`` gives it a name.
    axis : Axis or None
        What the pattern's values are values of.
    overrides : PreprocessingOverrides or None
        What the user sets in place of the backbones' own preprocessing.

    Returns
    -------
    list of Backbone
        A run's by model, axis, value and seed; a pattern's from weak to strong, then by seed.

    Raises
    ------
    InputError
        As the functions above; for a pattern without architecture or axis, or one of these without
        a pattern; for two backbones at one place; and for a run whose plans tell nothing of an
        axis.
    """
    overrides = overrides or PreprocessingOverrides()
    if isinstance(asked, str) and _PATTERN.search(asked):
        return _checkpoints(asked, model, axis, overrides)
    if model is not None or axis is not None:
        given = "--model" if model is not None else "--regularizer"
        raise InputError(
            f"{given} goes with checkpoints by pattern, and --backbones {asked} is none; expected "
            "e.g. --backbones 'ckpt/rn50_tau{value}_seed{seed}.pth', or leave it out"
        )
    axes: dict[str, dict[str, Axis]] = {}
    found = [_backbone(spec, overrides, axes) for spec in parse_models(asked)]
    _check_places(found)
    return found


def _checkpoints(
    pattern: str, model: str | None, axis: Axis | None, overrides: PreprocessingOverrides
) -> list[Backbone]:
    if model is None or axis is None:
        raise InputError(
            f"--backbones {pattern!r} needs the checkpoints' architecture and what their values "
            "are; expected e.g. --model resnet50 --regularizer random_crop"
        )
    name, _, architecture = model.rpartition("=")
    name = name or architecture
    return [
        Backbone(
            name,
            axis,
            ready.value,
            ready.replicate,
            ModelSpec(
                f"{name} {axis.name}={format_value(ready.value)} seed {ready.seed}",
                f"{architecture}@{ready.path}",
            ),
            {
                "source": "checkpoint",
                "text": f"{architecture}@{ready.path}",
                "file": str(ready.path),
                "seed": ready.seed,
            },
            overrides,
        )
        for ready in find_checkpoints(pattern, axis, "--backbones")
    ]


def _backbone(
    spec: ModelSpec, overrides: PreprocessingOverrides, axes: dict[str, dict[str, Axis]]
) -> Backbone:
    location = run_location(spec.text) if spec.given is None else None
    if location is None:
        if spec.given is None and _PATH.fullmatch(spec.text):
            raise InputError(
                f"backbones {spec.text!r} are neither a run nor a model; expected the folder that "
                "`lpa train-sweep` named at its end, the name of a model (lpa models lists them), "
                "or ready checkpoints 'ckpt/rn50_tau{value}_seed{seed}.pth'"
            )
        pretrained = {"source": "pretrained", "text": spec.text}
        return Backbone(spec.name, None, None, 0, spec, pretrained, overrides)
    (kept,) = find_kept(location)
    run = kept.store.location
    if run not in axes:
        axes[run] = _axes(run)
    facts = {
        "source": "run",
        "text": kept.text,
        "run": run,
        "architecture": kept.facts.architecture,
        "fingerprint": kept.facts.fingerprint,
        "classes": len(kept.facts.classes),
    }
    return Backbone(
        kept.facts.model,
        _axis_of(kept, axes[run], run),
        kept.facts.value,
        kept.facts.replicate,
        spec,
        facts,
        overrides,
    )


def _axes(run: str) -> dict[str, Axis]:
    """Read the axes of a run off its plans."""
    plans = read_objects(Store(run), "plans")
    found = [Axis.from_dict(one["axis"]) for plan in plans for one in plan.get("axes", [])]
    return {axis.name: axis for axis in found}


def _axis_of(kept: KeptModel, axes: Mapping[str, Axis], run: str) -> Axis | None:
    name = kept.facts.axis
    if name is not None and name not in axes:
        raise InputError(
            f"run {run!r} keeps models on {name!r} and none of its plans describes that axis; "
            "expected the run's folder whole: copy plans/ as well"
        )
    return None if name is None else axes[name]


def _check_places(backbones: list[Backbone]) -> None:
    """Refuse two backbones of one cell: the same sweep twice, or two sweeps of one name."""
    seen: dict[tuple[Any, ...], Backbone] = {}
    for backbone in backbones:
        other = seen.setdefault(backbone.place, backbone)
        if other is not backbone:
            raise InputError(
                f"backbones {other.spec.text!r} and {backbone.spec.text!r} are both "
                f"{backbone.spec.name}; expected one each: probe them in two runs"
            )
