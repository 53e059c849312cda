"""Ranking of classes by how much, or how soon, they are hurt (STATISTICS 3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.both_levels import both_error, both_interval, level_of_losses
from lpa.statistics.losses import Losses, losses
from lpa.statistics.mean_loss import image_mean_loss, mean_loss_run_squares
from lpa.statistics.means import mean_interval, standard_error
from lpa.statistics.rank_posterior import joint_ranks, rank_posterior
from lpa.statistics.threshold import threshold
from lpa.statistics.threshold_order import strength_order

__all__ = ["ranking"]

CURVE = ["model", "axis", "split"]

Floats = npt.NDArray[np.float64]


def ranking(
    outcomes: Outcomes,
    by: str = "loss",
    drop: float = 0.10,
    confidence: float = 0.95,
    split: str | None = None,
    level: str | None = None,
    among: Sequence[int] = (10, 100),
    joint: bool = False,
    fewest: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank the classes of every curve, rank 1 being the most hurt.

    Estimand: the rank of J_c, the mean loss along the axis (``mean_loss``), among the ranked
    classes of the curve. Level: ``image`` for fixed models, ``both`` for sweeps and probes.
    Estimator: posterior mean rank of an empirical Bayes model of all classes
    (:func:`~lpa.statistics.rank_posterior.rank_posterior`), fed with J_c and the standard error of
    E2 (or of ``both``). Interval: 2.5 to 97.5 % of the drawn ranks; it covers the true rank for
    95 % of the classes *on average*, not for all at once. ``joint`` adds ranks that hold for all
    classes at once, from limits at the Sidak level
    (:func:`~lpa.statistics.rank_posterior.joint_ranks`); they are wide. Test and family: none; a
    rank is not "significant".

    By ``threshold`` the classes stand in the order of their thresholds, the weakest first
    (``at once``, numbers, ``never``; ties by J_c), and the uncertainty is the threshold's own
    interval; classes whose threshold is undefined are not ranked.

    Edge cases: classes with fewer than ``fewest`` images are listed last and unranked (rank NaN);
    so are those without a standard error (n < 2, or one run at level ``both``). Curves without a
    reference or with one value are left out and noted.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    by : {"loss", "threshold"}
        The order.
    drop : float
        delta of the threshold, in [0, 1).
    confidence : float
        Of each interval, in (0, 1).
    split : str, optional
        Only this split; splits are never pooled.
    level : {"image", "both"}, optional
        See above.
    among : sequence of int
        For which k the probability of being among the k most hurt is given; a k that is not below
        the number of ranked classes has probability 1.
    joint : bool
        Whether joint ranks are wanted (``by="loss"``).
    fewest : int
        Images that a class must have to be ranked, at least 2.
    seed : int
        Of the posterior draws.

    Returns
    -------
    DataFrame
        In the order of ranks, curve after curve: ``model, axis, split, class, label, title, rank``
        (1, 2, ... in that order), then for ``loss`` ``mean_rank, rank_low, rank_high, among_<k>``
        and with ``joint`` ``joint_low, joint_high``; ``loss, low, high`` (J_c and its interval by
        itself, in [-1, 1]: accuracy points when times 100), for ``threshold`` also ``drop,
        threshold, state, threshold_low, threshold_low_state, threshold_high,
        threshold_high_state``; ``n, ranked`` (classes ranked on the curve), ``by, level``.
        ``attrs["notes"]`` says what was left out.

    Raises
    ------
    InputError
        For another ``by``, ``joint`` by threshold, k below 1 or ``fewest`` below 2.

    References
    ----------
    Laird and Louis 1989; Gu and Koenker 2023; Klein, Wright and Wieczorek 2020.
    """
    _check(by, joint, among, fewest)
    chosen = level_of_losses(outcomes, level)
    notes: list[str] = []
    wanted = tuple(among) if by == "loss" else ()
    pieces = []
    for each in losses(outcomes, split, notes):
        frame, error = _scored(outcomes, each, confidence, chosen)
        rankable = (each.n >= fewest) & ~np.isnan(error)
        notes += _omissions(each, error, rankable, fewest)
        if by == "loss":
            _rank_by_loss(frame, error, rankable, wanted, confidence, seed)
            if joint:
                _add_joint(frame, each, rankable, confidence, chosen)
        pieces.append(frame.assign(rankable=rankable))
    columns = _columns(by, wanted, joint)
    if not pieces:
        frame = pd.DataFrame(columns=columns)
    else:
        frame = pd.concat(pieces, ignore_index=True)
        if by == "threshold":
            frame = _rank_by_threshold(outcomes, frame, drop, confidence, split, chosen)
        frame = _in_order(frame).assign(by=by)[columns]
    frame.attrs["notes"] = notes
    return frame


def _check(by: str, joint: bool, among: Sequence[int], fewest: int) -> None:
    if by not in ("loss", "threshold"):
        raise InputError(f"ranking by {by!r} is unknown; expected loss or threshold")
    if joint and by == "threshold":
        raise InputError("joint ranks exist by loss only; leave joint out, or rank by loss")
    if any(k < 1 for k in among):
        raise InputError(f"among {min(among)} classes is out of range; expected 1 or more")
    if fewest < 2:
        raise InputError(f"fewest {fewest} is out of range; a rank needs 2 images or more")


def _columns(by: str, among: tuple[int, ...], joint: bool) -> list[str]:
    columns = [*CURVE, "class", "label", "title", "rank"]
    if by == "loss":
        columns += ["mean_rank", "rank_low", "rank_high", *(f"among_{k}" for k in among)]
        columns += ["joint_low", "joint_high"] if joint else []
    columns += ["loss", "low", "high"]
    if by == "threshold":
        ends = ("threshold_low", "threshold_high")
        columns += ["drop", "threshold", "state"]
        columns += [name for end in ends for name in (end, f"{end}_state")]
    return [*columns, "n", "ranked", "by", "level"]


def _omissions(
    each: Losses, error: Floats, rankable: npt.NDArray[np.bool_], fewest: int
) -> list[str]:
    place = f"{each.curve.model} on {each.axis.name}"
    if (np.isnan(error) & (each.n >= 2)).any():
        single = each.curve.values[each.curve.draws < 2].tolist()
        written = ", ".join(format_value(value) for value in single)
        return [f"{place}: one run at {written} has no error at level both; no class is ranked"]
    small = int((each.n < fewest).sum())
    listed = f"{place}: {small} of {len(each.n)} classes have fewer than {fewest} images"
    return [f"{listed} and are not ranked"] if small else []


def _scored(
    outcomes: Outcomes, each: Losses, confidence: float, level: str
) -> tuple[pd.DataFrame, Floats]:
    """Return each class's mean loss with its interval, and its standard error."""
    total, squares = _sums(each)
    low, high = _limits(each, confidence, level)
    if level == "image":
        error = standard_error(total, squares, each.n)[1]
    else:
        error = both_error(total, squares, each.n, mean_loss_run_squares(each))[1]
    columns: dict[str, Any] = each.identify(outcomes)
    columns |= {"loss": total / each.n, "low": low, "high": high}
    return pd.DataFrame(columns).assign(level=level), error


def _sums(each: Losses) -> tuple[Floats, Floats]:
    values = image_mean_loss(each.curve, each.axis)
    return each.total(values), each.total(values**2)


def _limits(each: Losses, confidence: float, level: str) -> tuple[Floats, Floats]:
    total, squares = _sums(each)
    if level == "image":
        return mean_interval(total, squares, each.n, confidence)
    return both_interval(total, squares, each.n, mean_loss_run_squares(each), confidence)


def _rank_by_loss(
    frame: pd.DataFrame,
    error: Floats,
    rankable: npt.NDArray[np.bool_],
    among: tuple[int, ...],
    confidence: float,
    seed: int,
) -> None:
    score = frame["loss"].to_numpy()[rankable]
    posterior = rank_posterior(score, error[rankable], among, confidence, seed=seed)
    found = {"mean_rank": posterior.mean, "rank_low": posterior.low, "rank_high": posterior.high}
    found |= {f"among_{k}": chance for k, chance in posterior.among.items()}
    for name, values in found.items():
        frame[name] = np.nan
        frame.loc[rankable, name] = values
    frame["order"] = frame["mean_rank"]


def _add_joint(
    frame: pd.DataFrame,
    each: Losses,
    rankable: npt.NDArray[np.bool_],
    confidence: float,
    level: str,
) -> None:
    sidak = confidence ** (1.0 / max(int(rankable.sum()), 1))
    low, high = _limits(each, sidak, level)
    ranks = joint_ranks(low[rankable], high[rankable])
    for name, values in zip(("joint_low", "joint_high"), ranks, strict=True):
        frame[name] = np.nan
        frame.loc[rankable, name] = values


def _rank_by_threshold(
    outcomes: Outcomes,
    frame: pd.DataFrame,
    drop: float,
    confidence: float,
    split: str | None,
    level: str,
) -> pd.DataFrame:
    table = threshold(outcomes, drop, confidence, split, level)
    ends = {f"{end}{kind}": f"threshold_{end}{kind}" for end in ("low", "high")
            for kind in ("", "_state")}  # fmt: skip
    keys = [*CURVE, "label"]
    table = table[[*keys, "drop", "threshold", "state", *ends]].rename(columns=ends)
    # Both tables hold the same classes of the same curves in the same order.
    frame = frame.merge(table, on=keys, how="left", validate="one_to_one")
    frame["order"] = np.nan
    for name, rows in frame.groupby("axis", sort=False).indices.items():
        part = frame.iloc[rows]
        keys_of = strength_order(outcomes.axes[str(name)], part["state"], part["threshold"])
        frame.loc[part.index, "order"] = keys_of
    frame["rankable"] &= frame["order"].notna()
    return frame


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort each curve's classes, number the ranked ones, and put the others last."""
    curve = frame.groupby(CURVE, sort=False).ngroup()
    order = np.lexsort((-frame["loss"], frame["order"], ~frame["rankable"], curve))
    frame = frame.iloc[order].reset_index(drop=True)
    by_curve = frame.groupby(CURVE, sort=False)["rankable"]
    frame["rank"] = by_curve.cumsum().where(frame["rankable"]).astype(np.float64)
    frame["ranked"] = by_curve.transform("sum").astype(np.int64)
    return frame
