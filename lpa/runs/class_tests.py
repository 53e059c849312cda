"""``Run.test``: which classes are hurt, for sweeps run by run (Table 1), for scans by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from lpa.axes import Axis
from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.outcomes.part import Part
from lpa.runs.choices import Groups
from lpa.statistics.arms import Arm
from lpa.statistics.drop_test import drop_test
from lpa.statistics.end_points import MEAN, end_points
from lpa.statistics.group_means import group_loss
from lpa.statistics.hurt_helped import hurt_and_helped
from lpa.statistics.run_test import FAMILY, run_test
from lpa.statistics.run_test_summary import run_test_summary

__all__ = ["class_tests", "group_tests", "is_trained", "summary"]

Fdr = Literal["fdr_bh", "fdr_by"]
Family = Literal["one", "all"]

HALVINGS = 1
"""Groups take the mean of their classes only; the split worst classes are not looked at."""


def is_trained(outcomes: Outcomes) -> bool:
    """Whether the run's replicates are training runs."""
    return outcomes.counts_only or outcomes.record.trained


def class_tests(
    runs: Mapping[str, Outcomes],
    values: Sequence[float] | None,
    value: float | None,
    family: Family,
    method_fdr: Fdr,
    paired: bool,
    confidence: float,
    split: str | None,
) -> pd.DataFrame:
    """Return one row per class and direction; see ``Run.test``."""
    trained = {name: is_trained(outcomes) for name, outcomes in runs.items()}
    if len(set(trained.values())) > 1:
        scan = next(name for name, is_sweep in trained.items() if not is_sweep)
        raise InputError(
            f"{scan} is a run of fixed models and others are training runs; test them apart"
        )
    if next(iter(trained.values())):
        return _run_tests(runs, values, value, family, method_fdr, paired, confidence, split)
    if values is not None:
        raise InputError(
            "two values of a run of fixed models are compared image by image: use "
            "`lpa compare RUN --values`, or test one value with --value"
        )
    if paired:
        raise InputError("--paired belongs to training runs that share seeds; leave it out")
    notes: list[str] = []
    pieces = []
    for name, outcomes in runs.items():
        table = drop_test(
            outcomes, value, None, "both", split=split, family=family, method_fdr=method_fdr
        )
        notes += table.attrs["notes"]
        pieces.append(table.assign(run=name))
    frame = pd.concat(pieces, ignore_index=True)
    if frame.empty:
        raise InputError("nothing can be tested: " + ("; ".join(notes) or "no class has images"))
    frame = frame[["run", *(column for column in frame.columns if column != "run")]]
    frame.attrs["notes"] = list(dict.fromkeys(notes))
    return frame


def summary(tests: pd.DataFrame, significance: Sequence[float], looks: int) -> pd.DataFrame:
    """Count the classes that are shown to be hurt and helped: Table 1 for training runs.

    Parameters
    ----------
    tests : DataFrame
        Of :func:`class_tests`.
    significance : sequence of float
        Levels; for fixed models each is of both directions together.
    looks : int
        See :func:`~lpa.statistics.run_test_summary.run_test_summary`.
    """
    notes = tests.attrs.get("notes", [])
    if "p_welch" in tests.columns:
        frame = run_test_summary(tests, significance, looks)
    else:
        if looks != 1:
            raise InputError("looks belong to training runs; leave them out")
        frame = pd.concat([hurt_and_helped(tests, each) for each in significance],
                          ignore_index=True)  # fmt: skip
    frame.attrs["notes"] = notes
    return frame


def group_tests(
    runs: Mapping[str, Outcomes], tests: pd.DataFrame, groups: Groups, significance: float
) -> pd.DataFrame:
    """Return each group's mean effect, and how many of its classes are shown to be affected.

    Counts are of Holm and BH rejections of the classes' own families at half of ``significance`` in
    each direction; the means have stratified intervals and no test.
    """
    group_of = {label: name for name, members in groups.items() for label in members}
    tests = tests.assign(group=tests["label"].map(group_of))
    trained = "p_welch" in tests.columns
    place = ["run", "model", "axis", "split", *(["reference", "value"] if trained else [])]
    counts = hurt_and_helped(tests[tests["group"].notna()], significance, [*place, "group"])
    numbers = [name for name in counts.columns if name.startswith(("hurt", "helped"))]
    counts = counts.drop(columns="significance").astype(
        dict.fromkeys([*numbers, "classes", "untestable"], "Int64")
    )
    if trained:
        means = _sweep_means(runs, tests, groups)
    else:
        means = pd.concat(
            [group_loss(outcomes, groups).assign(run=name) for name, outcomes in runs.items()],
            ignore_index=True,
        ).drop(columns="classes")
    # Counts of tests belong to the level of the tests; means may have another beside it.
    frame = means.merge(counts, on=[*place, "group", "level"], how="left")
    first = [*place, "group"]
    frame = frame[[*first, *(name for name in frame.columns if name not in first)]]
    frame.attrs["notes"] = tests.attrs.get("notes", [])
    return frame


def _run_tests(
    runs: Mapping[str, Outcomes],
    values: Sequence[float] | None,
    value: float | None,
    family: Family,
    method_fdr: Fdr,
    paired: bool,
    confidence: float,
    split: str | None,
) -> pd.DataFrame:
    if values is not None and len(values) < 2:
        raise InputError(
            f"{len(values)} value to test; expected two, such as --values 1,.5, or --value .5 for "
            "one beside the reference"
        )
    if values is not None and value is not None:
        raise InputError("--values names both values; leave --value out")
    reference, others = None, None if value is None else [value]
    if values is not None:
        reference, others = values[0], list(values[1:])
    sources: dict[str, Outcomes | pd.DataFrame] = {}
    axes: dict[str, Axis] = {}
    for name, outcomes in runs.items():
        sources[name] = _counts(outcomes) if outcomes.counts_only else outcomes
        axes |= outcomes.axes
    # A table of counts does not say whether its seeds are shared; its run does.
    shared = [name for name, outcomes in runs.items() if paired or outcomes.record.paired]
    if shared and len(shared) < len(runs):
        other = next(name for name in runs if name not in shared)
        raise InputError(
            f"{shared[0]} has training seeds that values share and {other} has not; test them apart"
        )
    paired = bool(shared)
    by = FAMILY if family == "one" else ("direction",)
    return run_test(sources, reference, others, confidence, split, axes, paired, by, method_fdr)


def _counts(outcomes: Outcomes) -> pd.DataFrame:
    """Return imported counts with what people read, and the classes' own indices."""
    index = {name: place for place, name in enumerate(outcomes.classes.names)}
    label = outcomes.counts["class"].map(index)
    titles = pd.Series(outcomes.classes.labels, dtype=object)
    return outcomes.counts.assign(label=label, title=label.map(titles))


def _sweep_means(runs: Mapping[str, Outcomes], tests: pd.DataFrame, groups: Groups) -> pd.DataFrame:
    """Return each group's mean difference between two values, at both levels."""
    keys = ["run", "model", "axis", "reference", "value"]
    rows = []
    for place in tests[keys].drop_duplicates().to_dict("records"):
        run, model, axis, reference, value = place.values()
        if runs[str(run)].counts_only:
            raise InputError(
                f"{run} holds counts only, and a group's mean needs the images; leave --groups out"
            )
        for name, members in groups.items():
            part = Part(runs[str(run)], members)
            arms = [Arm(str(v), part, float(v), str(model), str(axis)) for v in (reference, value)]
            found = end_points(arms[0], arms[1:], halvings=HALVINGS)
            found = found[(found["end_point"] == MEAN) & (found["direction"] == "lower")]
            for column, each in place.items():
                found[str(column)] = each
            rows.append(found.assign(group=name))
    columns = [*keys, "split", "group", "difference", "low", "high", "n", "level"]
    return pd.concat(rows, ignore_index=True)[columns]
