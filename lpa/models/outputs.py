"""What a model's outputs are called: the names by which its classes are matched with the data's."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

from lpa.class_files import EXPECTED, read_classes_file
from lpa.classes import Classes, imagenet
from lpa.errors import InputError

__all__ = ["BACKGROUND", "named", "output_classes"]

BACKGROUND = "background"
"""Name of the first of 1,001 outputs (TensorFlow's ImageNet models)."""


def output_classes(
    count: int,
    *,
    model: str,
    classes_file: str | os.PathLike[str] | None = None,
    own: Sequence[str] | Classes | None = None,
    source: str = "",
    needed: bool = True,
) -> tuple[Classes, str]:
    """Name a model's outputs.

    Parameters
    ----------
    count : int
        Number of outputs.
    model : str
        The model's name, for messages.
    classes_file : path, optional
        The user's file; comes first.
    own : sequence of str or Classes, optional
        What the model itself brings (a checkpoint's ``classes``, timm's ``label_names``, ...).
    source : str
        Where ``own`` comes from, for the note and messages: ``"the checkpoint's classes"``.
    needed : bool
        Whether outputs must have names; else those without are numbered.

    Returns
    -------
    Classes
        ``count`` names in output order. Without names from file or model, 1,000 outputs are
        ImageNet's classes, 1,001 the same after a background class, and timm's counts of
        ImageNet-21k and its subsets are their synsets.
    str
        A note where the names were inferred from the count, else ``""``.

    Raises
    ------
    InputError
        When the number of names differs from the number of outputs, or there are no names.
    """
    if classes_file is not None:
        own, source = read_classes_file(classes_file), f"the file {os.fspath(classes_file)!r}"
    if own is not None:
        if len(own) != count:
            raise InputError(
                f"model {model!r} has {count} outputs, but {source or 'its list of classes'} names "
                f"{len(own)}; expected one name for each output {EXPECTED}"
            )
        return (own if isinstance(own, Classes) else named(own)), ""
    if count == 1000:
        return imagenet(), "1000 outputs taken as ImageNet's classes in their standard order"
    if count == 1001:
        return _with_background(), "1001 outputs taken as a background class and ImageNet's classes"
    known = _timm_subset(count)
    if known is not None:
        return known, f"{count} outputs taken as timm's ImageNet subset of that size"
    if not needed:
        return Classes(tuple(map(str, range(count)))), f"{count} outputs without names"
    raise InputError(
        f"model {model!r} has {count} outputs and no class names: give --classes FILE {EXPECTED}"
    )


def named(names: Sequence[str]) -> Classes:
    """Make classes of names; where all are ImageNet's synsets, with their labels and lemmas."""
    known = {name: index for index, name in enumerate(imagenet().names)}
    if names and all(name in known for name in names) and len(set(names)) == len(names):
        return imagenet().subset([known[name] for name in names])
    return Classes(tuple(names))


@functools.cache
def _with_background() -> Classes:
    plain = imagenet()
    return Classes((BACKGROUND, *plain.names), (BACKGROUND, *plain.labels), ((), *plain.aliases))


@functools.cache
def _timm_subset(count: int) -> Classes | None:
    """Return the synsets of ImageNet-21k and its subsets, recognised by their number."""
    import timm.data

    data: Any = timm.data
    subset = data.infer_imagenet_subset({"num_classes": count})
    if subset is None:
        return None
    information = data.ImageNetInfo(subset)
    synsets = information.label_names()
    lemmas = [information.index_to_description(index) for index in range(len(synsets))]
    return Classes(
        tuple(synsets),
        tuple(text.split(", ")[0] for text in lemmas),
        tuple((text, *text.split(", ")) for text in lemmas),
    )
