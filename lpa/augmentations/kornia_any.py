"""Any 2-D augmentation of Kornia, at a strength that stands for ``{alpha}`` in its arguments.

Kornia draws the parameters of a whole batch from torch's global generator, so a sample's would
depend on the batch. Here each sample's are drawn alone, with the generator seeded from the sample's
key, and joined; applying them to the batch then gives what batches of one would (measured for
Kornia 0.9.0 class by class; the few exceptions are refused).
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import kornia.augmentation
import numpy as np
import numpy.typing as npt
import torch
from kornia.augmentation import (
    AugmentationBase2D,
    MixAugmentationBaseV2,
    RigidAffineAugmentationBase2D,
)
from torch import Tensor

from lpa.augmentations.augmentation import Augmentation
from lpa.augmentations.kornia_calls import PREFIX, arguments, refuse_by_name
from lpa.augmentations.randomness import integers
from lpa.augmentations.specs import AugmentationSpec
from lpa.axes import Axis, format_value
from lpa.errors import InputError, unknown

__all__ = ["KorniaAugmentation"]

_HALF_A_GREY_LEVEL = 0.5 / 255.0

_CHECKED_SIZE = (224, 224)
"""Height and width of the pictures on which a class is tried before a scan."""


def _ramps() -> Tensor:
    """Return two smooth pictures with all grey levels and colours: [2, 3, H, W]."""
    ramp = torch.linspace(0.0, 1.0, 3 * _CHECKED_SIZE[0] * _CHECKED_SIZE[1])
    ramp = ramp.view(1, 3, *_CHECKED_SIZE)
    return torch.cat([ramp, ramp.flip(-1)])


def _texture() -> Tensor:
    """Return a grey picture with the spectrum of a photograph (amplitude 1/f): [1, 3, H, W]."""
    height, width = _CHECKED_SIZE
    noise = np.random.default_rng(0).normal(size=_CHECKED_SIZE)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = np.fft.rfft2(noise) / np.maximum(frequency, 1 / max(_CHECKED_SIZE))
    grey = np.fft.irfft2(spectrum, s=_CHECKED_SIZE)
    grey = (0.5 + 0.2 * (grey - grey.mean()) / grey.std()).clip(0.0, 1.0).astype(np.float32)
    return torch.from_numpy(grey).expand(1, 3, *_CHECKED_SIZE)


def _kornia_class(name: str) -> type[AugmentationBase2D]:
    """Find a class that can be scanned; raise :class:`~lpa.errors.InputError` for any other."""
    refuse_by_name(name)
    found = getattr(kornia.augmentation, name, None)
    if isinstance(found, type) and issubclass(found, MixAugmentationBaseV2):
        raise InputError(
            f"kornia:{name} cannot be scanned: it mixes the images of a batch, so the label of an "
            "image is no longer its own; use one that changes each image alone, e.g. cutout"
        )
    known = [
        member
        for member, value in inspect.getmembers(kornia.augmentation, inspect.isclass)
        if issubclass(value, AugmentationBase2D) and "Base2D" not in member
    ]
    if name not in known:
        raise unknown("Kornia augmentation", name, known)
    kept: type[AugmentationBase2D] = getattr(kornia.augmentation, name)
    return kept


def _one_line(error: Exception) -> str:
    """Return the message of an exception in one line."""
    return " ".join(str(error).split()) or type(error).__name__


class KorniaAugmentation(Augmentation):
    """A class of Kornia with arguments that depend on the strength.

    Parameters
    ----------
    name : str
        Name of the class in :mod:`kornia.augmentation`.
    written : str
        Its arguments, ``{alpha}`` where the strength goes. ``p`` is 1 unless it is among them.
    axis : Axis
        Its reference is the identity, which bypasses the class.
    **kornia : object
        ``alpha``, ``p``, ``same_on_batch``, ``keepdim`` when the module is used alone.

    Raises
    ------
    InputError
        For a class that Kornia does not have, that mixes images, or that cannot be drawn sample
        by sample.
    """

    _compute_matrix_lazily = True

    def __init__(self, name: str, written: str, axis: Axis, **kornia: Any) -> None:
        super().__init__(**kornia)
        self.family = f"{PREFIX}{name}"
        self.name, self.written, self.axis = name, written, axis
        self.kornia_class = _kornia_class(name)
        alpha = kornia.get("alpha")
        self.alpha = axis.reference if alpha is None else float(alpha)
        self._made: dict[float, AugmentationBase2D] = {}

    @classmethod
    def from_spec(cls, spec: AugmentationSpec) -> Self:
        """Make the module of a spec, and Kornia's at each of its strengths, to find errors now."""
        name = spec.family.removeprefix(PREFIX)
        module = cls(name, spec.options["arguments"], spec.axis)
        for alpha in spec.strengths[1:]:
            module.at(alpha)
        module.check_samples_are_alone(spec.strengths[-1])
        return module

    def check_samples_are_alone(self, alpha: float) -> None:
        """Compare a small batch with batches of one, at one strength.

        Raises
        ------
        InputError
            When what a sample becomes depends on the samples beside it.
        """
        keys, ramps = np.arange(3, dtype=np.uint64), _ramps()
        images = torch.cat([ramps, (ramps[:1] * 64.0) % 1.0])

        def result(rows: slice) -> Tensor:
            own = self.draw(keys[rows], alpha, size=_CHECKED_SIZE)
            del own["alpha"]
            output: Tensor = self.at(alpha)(images[rows], params=own)
            return output

        try:
            whole = result(slice(0, 3))
            alone = torch.cat([result(slice(row, row + 1)) for row in range(3)])
        except (RuntimeError, ValueError, TypeError):
            # Arguments made for another size of view; their own run will tell.
            return
        if (whole - alone).abs().max() > _HALF_A_GREY_LEVEL:
            raise InputError(
                f"kornia:{self.name}({self.written}) cannot be scanned: what an image becomes "
                "depends on the images beside it; fix the argument that is drawn once per batch"
            )

    def check_identity(self) -> None:
        """Compare a small batch with what Kornia makes of it at the first value.

        The identity bypasses Kornia, so a first value that changes images would put a jump into
        every curve. On average over an image, since Kornia's own identities may miss single pixels
        (``RandomErasing`` erases one at 0, JPEG rounds at a quality of 100). A value that Kornia
        refuses, as a blur of sigma 0, is the user's word for the untouched image.

        Raises
        ------
        InputError
            When an image changes by more than one grey level on average.
        """
        images, alpha = torch.cat([_ramps(), _texture()]), self.axis.reference
        try:
            module = self.at(alpha)
            params = self._drawn(module, np.arange(3, dtype=np.uint64), 0, 0, _CHECKED_SIZE)
            output: Tensor = module(images, params=params)
        except Exception:  # Of Kornia's many kinds; its own words at other values are in `at`.
            return
        if output.shape != images.shape or not output.isfinite().all():
            return
        changes = 255.0 * (output.clamp(0.0, 1.0) - images).abs().mean(dim=(1, 2, 3))
        if changes.max() > 1.0:
            raise InputError(
                f"{self.axis.name}: the first value {format_value(alpha)} is no identity, it "
                f"changes images by {float(changes.max()):.1f} of 255 grey levels on average; "
                "expected the value that changes nothing first: write it before the others"
            )

    def at(self, alpha: float) -> AugmentationBase2D:
        """Return Kornia's module at a strength.

        Raises
        ------
        InputError
            With Kornia's words, for arguments that it refuses.
        """
        if alpha not in self._made:
            positional, named = arguments(self.name, self.written, alpha)
            if "p" in inspect.signature(self.kornia_class.__init__).parameters:
                named.setdefault("p", 1.0)
            try:
                self._made[alpha] = self.kornia_class(*positional, **named)
            except Exception as error:
                raise InputError(
                    f"kornia:{self.name}({self.written}) at {format_value(alpha)}: Kornia refuses "
                    f"the arguments: {_one_line(error)}"
                ) from error
        return self._made[alpha]

    def draw(
        self,
        keys: npt.NDArray[np.uint64],
        alpha: float,
        *,
        seed: int = 0,
        draw: int = 0,
        size: tuple[int, int] = (224, 224),
    ) -> dict[str, Tensor]:
        """Draw Kornia's own parameters for each sample, joined along the batch.

        ``alpha`` (float64 [B]) says which of Kornia's modules they belong to. Torch's global
        generator is left as it was.
        """
        strengths = torch.full((len(keys),), float(alpha), dtype=torch.float64)
        if alpha == self.axis.reference or not len(keys):
            return {"alpha": strengths}
        return {**self._drawn(self.at(alpha), keys, seed, draw, size), "alpha": strengths}

    def _drawn(
        self,
        module: AugmentationBase2D,
        keys: npt.NDArray[np.uint64],
        seed: int,
        draw: int,
        size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Draw the parameters of one of Kornia's modules."""
        generator = torch.default_generator
        seeds = integers(keys, self.family, 1, seed, draw)[:, 0] >> np.uint64(1)
        state, drawn = generator.get_state(), []
        try:
            for sample_seed in seeds.tolist():
                generator.manual_seed(sample_seed)
                drawn.append(module.forward_parameters(torch.Size((1, 3, *size))))
        finally:
            generator.set_state(state)
        params = {
            name: torch.cat([one[name] for one in drawn])
            for name in drawn[0]
            if name != "forward_input_shape"
        }
        return {**params, "forward_input_shape": torch.tensor((len(keys), 3, *size))}

    def _strength(self, params: dict[str, Tensor]) -> float:
        """Return the strength that parameters were drawn at."""
        strengths = params["alpha"]
        return float(strengths[0]) if len(strengths) else self.axis.reference

    def compute_transformation(
        self, input: Tensor, params: dict[str, Tensor], flags: dict[str, Any]
    ) -> Tensor:
        """Return Kornia's matrices [B, 3, 3]; the identity where its class has none."""
        alpha = self._strength(params)
        if alpha == self.axis.reference:
            return self.identity_matrix(input)
        module = self.at(alpha)
        if not isinstance(module, RigidAffineAugmentationBase2D):
            return self.identity_matrix(input)
        return module.compute_transformation(input, params, module.flags)

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Apply Kornia's module to images [B, 3, H, W] and clip to [0, 1]."""
        alpha = self._strength(params)
        if alpha == self.axis.reference:
            return input.clone()
        own = {name: value for name, value in params.items() if name != "alpha"}
        output: Tensor = self.at(alpha)(input, params=own)
        if output.shape != input.shape:
            raise InputError(
                f"kornia:{self.name}({self.written}) turns views of {tuple(input.shape[-2:])} "
                f"pixels into {tuple(output.shape[-2:])}; give it the size of the view"
            )
        return output.clamp(0.0, 1.0)
