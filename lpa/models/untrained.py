"""Architectures to be trained, by the names under which trained models are scanned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lpa.errors import InputError, unknown
from lpa.models.preprocessing import Preprocessing, PreprocessingOverrides, Triple
from lpa.models.recognition import Recognised, recognise
from lpa.models.small import BUILDERS, MINIMUM
from lpa.views import View

__all__ = ["UntrainedModel", "build_architecture", "untrained"]

LARGEST_SMALL = 64
"""Images whose longer side has at most so many pixels are small: they are shown as they are."""

_HALF: Triple = (0.5, 0.5, 0.5)

Size = tuple[int, int]


@dataclass(frozen=True)
class UntrainedModel:
    """An architecture with its view, from which freshly initialised modules are made.

    Attributes
    ----------
    name : str
        As it was asked for.
    architecture : str
        Exact: ``"tv:resnet50"``, ``"timm:vit_small_patch16_224"``, ``"small_cnn"``.
    source : {"torchvision", "timm", "small"}
    outputs : int
        Number of classes.
    view : View
        What it sees of an image, in training (without augmentation) and in evaluation.
    mean, std : tuple of three floats
        Normalisation of RGB values in [0, 1].
    notes : tuple of str
        What was decided on the way (an alias, ...).
    """

    name: str
    architecture: str
    source: str
    outputs: int
    view: View
    mean: Triple
    std: Triple
    notes: tuple[str, ...] = ()

    @property
    def preprocessing(self) -> Preprocessing:
        """View and normalisation in one; its text is one readable line."""
        return Preprocessing(self.view, self.mean, self.std)

    def build(self, dropout: float = 0.0) -> nn.Module:
        """Make a module with new weights; see :func:`build_architecture`."""
        return build_architecture(
            self.architecture, self.outputs, size=self.view.size, dropout=dropout
        )


def build_architecture(
    architecture: str, outputs: int, *, size: Size, dropout: float = 0.0
) -> nn.Module:
    """Make a module with new weights.

    Parameters
    ----------
    architecture : str
        As :attr:`UntrainedModel.architecture`.
    outputs : int
        Number of classes.
    size : (int, int)
        Height and width of the input in pixels.
    dropout : float
        In [0, 1): timm's ``drop_rate``; torchvision's ``Dropout`` layers in the head, or one before
        the final linear layer where there is none (:mod:`lpa.models.head_dropout`); the small
        networks' only one. Every one is a
        :class:`~lpa.models.keyed_dropout.KeyedDropout`.

    Returns
    -------
    nn.Module
        In training mode, float32, on the CPU, initialised from torch's global generator:
        normalised images [B, 3, height, width] -> logits [B, outputs], in training too (auxiliary
        heads are left out).

    Raises
    ------
    InputError
        For a size or a dropout that the architecture cannot take.
    """
    library, _, target = architecture.rpartition(":")
    if library == "tv":
        return _torchvision(target, outputs, size, dropout)
    if library == "timm":
        return _timm(target, outputs, size, dropout)
    return BUILDERS[target](outputs, size, dropout)


def untrained(
    name: str,
    outputs: int,
    *,
    image_size: Size | None,
    img_size: int | Size | None = None,
    crop_pct: float | None = None,
    interpolation: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    crop_mode: str | None = None,
) -> UntrainedModel:
    """Find an architecture by name, with the view that suits the images.

    Parameters
    ----------
    name : str
        As models are named everywhere (``resnet50``, ``convnext_t``, ``vit_s``, ``timm:...``), or
        ``small_cnn``, ``small_resnet``, ``small_vit``. Pretrained tags are left out.
    outputs : int
        Number of classes.
    image_size : (int, int) or None
        Width and height in pixels that all images of the data share; None: they differ.
    img_size, crop_pct, interpolation, mean, std, crop_mode
        In place of the default view; see
        :class:`~lpa.models.preprocessing.PreprocessingOverrides`.

    Returns
    -------
    UntrainedModel
        Images of at most 64 pixels are shown as they are (mean = std = 0.5) to the small networks
        and to every architecture of no fixed input size that takes them; else the view is the
        architecture's own evaluation preprocessing. A small network sees larger images, or images
        of different sizes, at 64 pixels.

    Raises
    ------
    InputError
        For an unknown name, something else than an architecture, an architecture without head, and
        a size that it cannot take.
    """
    overrides = PreprocessingOverrides(img_size, crop_pct, mean, std, interpolation, crop_mode)
    found = _found(name)
    architecture, own, fixed = _own(found, outputs, overrides, name)
    notes = list(found.notes)
    chosen, refusal = own, None
    if image_size is not None and max(image_size) <= LARGEST_SMALL and not fixed:
        plain = (image_size[1], image_size[0])
        shown = View(plain, plain, "exact", "bilinear")
        chosen = Preprocessing(shown, _HALF, _HALF).overridden(overrides)
        refusal = _refusal(architecture, outputs, chosen.view.size)
        if refusal and found.source != "small" and overrides.size is None:
            chosen, refusal = own, None
            notes.append(
                f"{name} cannot take {_pixels(plain)} pixels: images are enlarged to its own "
                f"{_pixels(own.view.size)} (--img-size sets another size)"
            )
    if chosen is own:
        refusal = _refusal(architecture, outputs, own.view.size)
    if refusal:
        raise InputError(f"architecture {name!r} {refusal}")
    return UntrainedModel(
        name,
        architecture,
        found.source,
        outputs,
        chosen.view,
        chosen.mean,
        chosen.std,
        tuple(notes),
    )


def _found(name: str) -> Recognised:
    """Recognise an architecture; refuse what can only be loaded."""
    found = recognise(name)
    if found.source == "package":
        return Recognised("timm", f"tf_{found.target}", found.notes)
    if found.source not in ("small", "torchvision", "timm") or ":" in found.target:
        raise InputError(
            f"model {name!r} cannot be trained from the start; expected the name of an "
            "architecture, e.g. small_cnn, resnet50 or timm:vit_small_patch16_224"
        )
    return found


def _own(
    found: Recognised, outputs: int, overrides: PreprocessingOverrides, name: str
) -> tuple[str, Preprocessing, bool]:
    """Return the exact architecture, its own preprocessing, and whether its size is fixed."""
    if found.source == "small":
        view = View.from_crop_fraction((LARGEST_SMALL, LARGEST_SMALL), 1.0, "bilinear")
        plain = Preprocessing(view, _HALF, _HALF, 1.0)
        return found.target, plain.overridden(overrides), False
    if found.source == "torchvision":
        from lpa.models import from_torchvision
        from lpa.models.transforms import read_preprocessing

        architecture, weights, _ = from_torchvision.find_weights(found.target)
        own = read_preprocessing(weights.transforms(), overrides, name=name)
        return f"tv:{architecture}", own, architecture.startswith(("vit_", "maxvit"))
    from lpa.models import from_timm

    if not from_timm.knows(found.target):
        raise unknown("timm model", found.target, from_timm.names())
    architecture = found.target.split(".")[0]
    module = _sketched(lambda: from_timm.build(architecture, outputs=outputs))
    own, _ = from_timm.read_config(module, overrides, name=name)
    config: Any = module.pretrained_cfg
    return f"timm:{architecture}", own, bool(config.get("fixed_input_size"))


def _torchvision(target: str, outputs: int, size: Size, dropout: float) -> nn.Module:
    from lpa.models import from_torchvision
    from lpa.models.head_dropout import in_torchvision

    options: dict[str, Any] = {}
    if target in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": True}
    elif target.startswith("vit_"):
        if size[0] != size[1]:
            raise InputError(
                f"architecture {target!r} takes square images, not {_pixels(size)} pixels; give "
                f"--img-size {max(size)}"
            )
        options = {"image_size": size[0]}
    elif target.startswith("maxvit"):
        options = {"input_size": size}
    module = from_torchvision.build(target, outputs, **options)
    return in_torchvision(module, outputs, dropout, name=target)


def _timm(target: str, outputs: int, size: Size, dropout: float) -> nn.Module:
    import timm

    from lpa.models import from_timm
    from lpa.models.head_dropout import MARK, in_timm

    config = timm.get_pretrained_cfg(target)
    usual = config is not None and tuple(config.input_size[-2:]) == tuple(size)
    module = from_timm.build(
        target, outputs=outputs, img_size=None if usual else size, drop_rate=MARK
    )
    return in_timm(module, dropout, name=target)


def _refusal(architecture: str, outputs: int, size: Size) -> str | None:
    """Say why an architecture cannot classify images of a size, or return None.

    Tried in training mode, with two images; nothing is computed where shapes alone can be.
    """
    if architecture in BUILDERS and min(size) < MINIMUM:
        return f"takes images from {MINIMUM}x{MINIMUM} pixels, not {_pixels(size)}; give --img-size"

    def tried() -> Any:
        module = build_architecture(architecture, outputs, size=size)
        with torch.no_grad():
            return module(torch.zeros(2, 3, *size))

    try:
        logits = _sketched(tried)
    except InputError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        return f"cannot take {_pixels(size)} pixels ({reason}); give another size with --img-size"
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (2, outputs):
        return (
            "has no classification head, only features; expected one that classifies "
            "(lpa models '*in1k*' lists some)"
        )
    return None


def _sketched(make: Any) -> Any:
    """Call on the device without memory, or really where it computes with values (RegNet).

    The global generator's state is left as it was.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.device("meta"):
                return make()
        except (NotImplementedError, RuntimeError) as error:
            if "meta" not in str(error):
                raise
            return make()


def _pixels(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
