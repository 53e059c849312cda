"""Two models, or two values of an axis, compared image by image (STATISTICS 2, 3.6)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lpa.axes import format_value
from lpa.errors import InputError, unknown
from lpa.outcomes import Outcomes
from lpa.statistics.paired_tables import Paired, Side, compared
from lpa.statistics.predictions import PredictedCurve, predicted_curves

__all__ = ["Paired", "compare_models", "compare_values"]


def compare_models(
    outcomes: Outcomes,
    old: str,
    new: str,
    axis: str | None = None,
    value: float | None = None,
    direction: Literal["hurt", "helped", "both"] = "both",
    confidence: float = 0.95,
    split: str | None = None,
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> Paired:
    """Compare two models on the same images, at the identity or at one value of an axis.

    Estimand: by class, the accuracy of ``new`` minus that of ``old``. Level: ``image``, paired by
    image, both models fixed. Estimator: the mean over the class's images of the difference of the
    shares of right draws. Interval: E2. Test: two one-sided families, H0 "new is not worse"
    (``hurt``) and "not better" (``helped``): exact McNemar where both sides have one draw, else E2
    with delta = 0; claims in both directions take half the level. Family: the testable classes of
    the comparison and direction. Over all images and over classes: stratified normal interval as
    for ``mean_accuracy``; where some class has one image or nothing changed, E2 on all images as
    one sample.

    Edge cases: a class with fewer than 2 images is not testable and has no interval; it is counted
    in ``untestable``. Draws need not be equally many.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    old, new : str
        Models of the run.
    axis, value : str and float, optional
        Where they are compared; by default the identity.
    direction : {"hurt", "helped", "both"}
        Which tests are made: one row a class and direction.
    confidence : float
        Of each interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    method_fdr : {"fdr_bh", "fdr_by"}
        See :func:`~lpa.statistics.multiplicity.corrected`.

    Returns
    -------
    Paired
        ``classes``: ``model, axis, value, old_model, old_value, split, class, label, title,
        accuracy, old_accuracy, difference, low, high`` (fractions; accuracy points when times
        100), ``lost, gained`` (images whose share of right draws fell and rose), ``direction, p,
        p_bh, p_holm, family, m, untestable, method, n, level``. ``overall``: the same numbers for
        ``aggregate`` (``overall``, ``mean of classes``), without tests. ``flips``: one row per
        image that changed, the largest changes first: ``sample, name, class, label, title, flip``
        (lost, gained), ``share, old_share`` (of right draws), ``prediction, old_prediction`` (class
        names; the most frequent of the draws), ``n`` (draws), ``level``.

    Raises
    ------
    InputError
        For a model, axis, value, split or direction that there is not, and for one model twice.

    References
    ----------
    McNemar 1947, Psychometrika 12:153; Bonett and Price 2012, JEBS 37:479.
    """
    curves = list(predicted_curves(outcomes, split))
    known = list(dict.fromkeys(curve.model for curve in curves))
    if not known:
        raise InputError(f"{outcomes.store} holds no complete cell to compare")
    for name in (old, new):
        if name not in known:
            raise unknown("model", name, known)
    if old == new:
        raise InputError(f"{old} is both the old and the new model; give two different ones")
    if (axis is None) != (value is None):
        raise InputError("a place needs an axis and a value, such as crop=.5; give both or neither")
    pairs = []
    for name in dict.fromkeys(curve.split for curve in curves):
        here = [curve for curve in curves if curve.split == name]
        before, after = (_side(outcomes, here, model, axis, value) for model in (old, new))
        pairs.append((before, after))
    return compared(outcomes, pairs, direction, confidence, method_fdr)


def compare_values(
    outcomes: Outcomes,
    axis: str,
    old: float,
    new: float,
    model: str | None = None,
    direction: Literal["hurt", "helped", "both"] = "both",
    confidence: float = 0.95,
    split: str | None = None,
    method_fdr: Literal["fdr_bh", "fdr_by"] = "fdr_bh",
) -> Paired:
    """Compare two values of an axis on the same images, model by model.

    Estimand, level, estimator, interval, tests, family and edge cases are those of
    :func:`compare_models`, with the accuracy at ``new`` minus the accuracy at ``old``. Trainings of
    a sweep are averaged within the image and fixed; tests of trainings are ``run_test``.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    axis : str
        The axis.
    old, new : float
        Two values of it.
    model : str, optional
        Only this model; by default every model that has both values, each a family of its own.
    direction, confidence, split, method_fdr
        As in :func:`compare_models`.

    Returns
    -------
    Paired
        As :func:`compare_models`.

    Raises
    ------
    InputError
        For a model, axis, value, split or direction that there is not.
    """
    curves = list(predicted_curves(outcomes, split))
    known = list(dict.fromkeys(curve.model for curve in curves))
    if model is not None and model not in known:
        raise unknown("model", model, known)
    if old == new:
        raise InputError(f"{axis}: both values are {format_value(old)}; give two different ones")
    pairs, wanted = [], [model] if model is not None else known
    for curve in curves:
        measured = curve.find(old) is not None and curve.find(new) is not None
        on_axis = curve.axis is not None and curve.axis.name == axis
        if curve.model in wanted and on_axis and measured:
            before = _side(outcomes, [curve], curve.model, axis, old)
            pairs.append((before, _side(outcomes, [curve], curve.model, axis, new)))
    if not pairs and curves:
        # The first model's curve names what is missing.
        here = [curve for curve in curves if curve.split == curves[0].split]
        for value in (old, new):
            _side(outcomes, here, wanted[0], axis, value)
    return compared(outcomes, pairs, direction, confidence, method_fdr)


def _side(
    outcomes: Outcomes,
    curves: list[PredictedCurve],
    model: str,
    axis: str | None,
    value: float | None,
) -> Side:
    if axis is not None and axis not in outcomes.axes:
        raise unknown("axis", axis, outcomes.axes)
    measured: list[float] = []
    for curve in curves:
        name = curve.axis.name if curve.axis is not None else None
        if curve.model != model or (axis is not None and name != axis):
            continue
        if axis is None:
            # The identity stands under every axis of the model.
            index = 0 if curve.axis is None else curve.find(curve.axis.reference)
        else:
            index = curve.find(value) if value is not None else None
            measured += curve.values.tolist()
        if index is not None:
            at = np.nan if axis is None else float(curve.values[index])
            return Side(model, axis, at, curve.at(index), curve)
    place = f"at {axis}={format_value(value or 0.0)}" if axis else "at the identity"
    has = f"; it has {axis}=" + ",".join(map(format_value, measured)) if measured else ""
    raise InputError(f"{model} was not measured {place}{has}")
