"""``run:PATH``: the models that a training sweep kept, as they were evaluated."""

from __future__ import annotations

from pathlib import PurePath

from lpa.errors import InputError
from lpa.models.kept_models import KeptModel, find_kept
from lpa.models.loaded import LoadedModel, Request, finish
from lpa.models.untrained import build_architecture

__all__ = ["load"]


def load(request: Request) -> LoadedModel:
    """Load one kept model: its architecture, view, normalisation and class names are in its file.

    Raises
    ------
    InputError
        When the target fits several models or none, or its file is damaged or does not fit its
        architecture.
    """
    kept = _only(request.target)
    facts = kept.facts
    module = build_architecture(facts.architecture, len(facts.classes), size=facts.view.size)
    try:
        module.load_state_dict(kept.tensors(), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"weights '{kept.store}/{kept.file}' do not fit {facts.architecture} ({reason}); "
            "expected the versions of lpa, torchvision and timm that trained them (plans/ of the "
            "run says which)"
        ) from error
    return finish(
        request,
        module,
        facts.preprocessing.overridden(request.overrides),
        source="run",
        weights=PurePath(kept.file).name,
        own_classes=facts.classes,
        own_source="the run's classes",
    )


def _only(target: str) -> KeptModel:
    kept = find_kept(target)
    if len(kept) > 1:
        raise InputError(
            f"run:{target} stands for {len(kept)} models ({kept[0].name}, {kept[1].name}, ...); "
            f"expected one, e.g. {kept[0].text}"
        )
    return kept[0]
