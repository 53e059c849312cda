"""Which source a text means. Library names come before loose spellings, torchvision before timm."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from lpa.errors import InputError, unknown
from lpa.models.aliases import ALIASES, fold
from lpa.models.kept_models import run_location

__all__ = ["PACKAGED", "SMALL", "Recognised", "recognise"]

PACKAGED = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
"""Models whose weights the package index carries (the extra ``sample``)."""

SMALL = ("small_cnn", "small_resnet", "small_vit")
"""Networks for small images (:mod:`lpa.models.small`): to be trained, without weights to load."""

_FACTORY = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
_FORCED = {"tv:": "torchvision", "torchvision:": "torchvision", "timm:": "timm"}
_HUB = ("hf-hub:", "hf_hub:", "local-dir:")


@dataclass(frozen=True)
class Recognised:
    """A source of the register, the exact name within it, and what was assumed."""

    source: str
    target: str
    notes: tuple[str, ...] = ()


def recognise(text: str) -> Recognised:
    """Find the source of a model.

    In this order: a prefix (``tv:``, ``timm:``, ``hf-hub:``, ``local-dir:``), ``run:`` or a run's
    folder, ``ARCHITECTURE@FILE``, ``package.module:function``, torchvision's full weight names, a
    packaged model, a small network, an alias, torchvision's names, timm's names, and then the same
    with case, hyphens and underscores folded. The libraries are imported only where the earlier
    steps do not decide.

    Raises
    ------
    InputError
        For an unknown name, with the nearest known ones.
    """
    if text.startswith(_HUB):
        return Recognised("timm", text.replace("hf_hub:", "hf-hub:", 1))
    kept = run_location(text)
    if kept is not None:
        return Recognised("run", kept)
    if "@" in text:
        return _checkpoint(text)
    for prefix, source in _FORCED.items():
        if text.startswith(prefix):
            return Recognised(source, text.removeprefix(prefix))
    if _FACTORY.fullmatch(text):
        return Recognised("factory", text)
    if "_Weights." in text:
        return Recognised("torchvision", text)
    if text in PACKAGED:
        return Recognised("package", text)
    if text in SMALL:
        return Recognised("small", text)
    return _library_name(text)


def _checkpoint(text: str) -> Recognised:
    architecture, _, path = text.partition("@")
    if not architecture or not path:
        raise InputError(
            f"model {text!r} is not complete; expected ARCHITECTURE@FILE, e.g. resnet50@best.pth"
        )
    found = _architecture(architecture)
    prefix = {"torchvision": "tv:", "timm": "timm:"}[found.source]
    return Recognised("checkpoint", f"{prefix}{found.target}@{path}", found.notes)


def _architecture(text: str) -> Recognised:
    """Recognise what stands before ``@``: a library's name, never a packaged one."""
    for prefix, source in _FORCED.items():
        if not text.startswith(prefix):
            continue
        from lpa.models import from_timm, from_torchvision

        target = text.removeprefix(prefix)
        library = from_torchvision if source == "torchvision" else from_timm
        known = from_torchvision.architectures() if source == "torchvision" else from_timm.names()
        if not library.knows(target):
            raise unknown(f"{source} architecture", target, known)
        return Recognised(source, target)
    found = _library_name(text, kind="architecture") if text not in SMALL else None
    if found is None or found.source == "small":
        raise InputError(
            f"model {text!r} has no checkpoints of its own; expected run:RUN for the kept models "
            "of a training sweep, e.g. run:runs/digits"
        )
    return found


def _library_name(text: str, kind: str = "model") -> Recognised:
    if text in ALIASES:
        return _from_alias(text, text)
    from lpa.models import from_timm, from_torchvision

    if from_torchvision.knows(text):
        return Recognised("torchvision", text)
    if from_timm.knows(text):
        return Recognised("timm", text)
    folded = fold(text)
    for alias in ALIASES:
        if fold(alias) == folded:
            return _from_alias(alias, text)
    for source, names in (
        ("small", SMALL),
        ("torchvision", from_torchvision.architectures()),
        ("timm", sorted(from_timm.names())),
    ):
        for name in names:
            if fold(name) == folded:
                return Recognised(source, name, (f"{text!r} read as {source}'s {name}",))
    known = {*ALIASES, *PACKAGED, *SMALL, *from_torchvision.architectures(), *from_timm.names()}
    raise unknown(kind, text, known, hint="lpa models '*part*' lists them")


def _from_alias(alias: str, text: str) -> Recognised:
    found = recognise(ALIASES[alias])
    return replace(found, notes=(f"{text!r} stands for {found.source}'s {found.target}",))
