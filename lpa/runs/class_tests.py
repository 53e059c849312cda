"""``Run.test``: which classes are hurt, for sweeps run by run (Table 1), for scans by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.runs.choices import Groups
from lpa.statistics.drop_test import drop_test
from lpa.statistics.group_differences import group_differences
from lpa.statistics.group_means import group_loss
from lpa.statistics.hurt_helped import hurt_and_helped
from lpa.statistics.run_test import FAMILY, PAIRED, run_test
from lpa.statistics.run_test_summary import run_test_summary

__all__ = ["class_tests", "group_tests", "is_trained", "summary"]

Fdr = Literal["fdr_bh", "fdr_by"]
Family = Literal["one", "all"]


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
        frame = pd.concat([hurt_and_helped(tests, each) for each in significance],
                          ignore_index=True)  # fmt: skip
    frame.attrs["notes"] = notes
    return frame


def group_tests(
    runs: Mapping[str, Outcomes],
    tests: pd.DataFrame,
    groups: Mapping[str, Groups],
    significance: float,
    value: float | None,
    confidence: float,
    split: str | None,
) -> pd.DataFrame:
    """Return each group's mean effect, and how many of its classes are shown to be affected.

    Counts are of Holm and BH rejections of the classes' own families at half of ``significance`` in
    each direction; the means have stratified intervals and no test.

    Parameters
    ----------
    runs, groups : mapping
        Of each run, by name; classes are numbered by each run for itself.
    tests : DataFrame
        Of :func:`class_tests`.
    significance : float
        Of both directions together.
    value : float, optional
        The value beside the reference that fixed models were tested at.
    confidence, split
        As in ``Run.test``.
    """
    trained = "p_welch" in tests.columns
    place = ["run", "model", "axis", "split", *(["reference", "value"] if trained else [])]
    members = pd.concat(
        [
            tests[(tests["run"] == run) & tests["label"].isin(labels)].assign(group=name)
            for run, own in groups.items()
            for name, labels in own.items()
        ]
    )
    counts = hurt_and_helped(members, significance, [*place, "group"])
    numbers = [name for name in counts.columns if name.startswith(("hurt", "helped"))]
    counts = counts.drop(columns="significance").astype(
        dict.fromkeys([*numbers, "classes", "untestable"], "Int64")
    )
    # Counts by run and class have no split, which groupby makes a number that is not there.
    counts["split"] = counts["split"].astype(object).where(counts["split"].notna(), None)
    if trained:
        pieces = _sweep_means(runs, tests, groups, confidence, split)
    else:
        pieces = {
            name: group_loss(outcomes, groups[name], confidence, split, None, value)
            for name, outcomes in runs.items()
        }
    notes = [note for each in pieces.values() for note in each.attrs["notes"]]
    means = pd.concat([each.assign(run=name) for name, each in pieces.items()], ignore_index=True)
    means = means.drop(columns="classes", errors="ignore")
    # Counts of tests belong to the level of the tests; means may have another beside it.
    frame = means.merge(counts, on=[*place, "group", "level"], how="left")
    first = [*place, "group"]
    frame = frame[[*first, *(name for name in frame.columns if name not in first)]]
    if value is not None and not trained:
        frame.insert(list(frame.columns).index("split"), "value", value)
    frame.attrs["notes"] = list(dict.fromkeys([*tests.attrs.get("notes", []), *notes]))
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
    shared = [name for name, outcomes in runs.items() if paired or outcomes.record.paired]
    if shared and len(shared) < len(runs):
        other = next(name for name in runs if name not in shared)
        raise InputError(
            f"{shared[0]} has training seeds that values share and {other} has not; test them apart"
        )
    paired = bool(shared)
    by = FAMILY if family == "one" else ("direction",)
    return run_test(dict(runs), reference, others, confidence, split, None, paired, by, method_fdr)


def _sweep_means(
    runs: Mapping[str, Outcomes],
    tests: pd.DataFrame,
    groups: Mapping[str, Groups],
    confidence: float,
    split: str | None,
) -> dict[str, pd.DataFrame]:
    """Return each run's groups' mean differences between two values, at both levels."""
    found: dict[str, pd.DataFrame] = {}
    for name, outcomes in runs.items():
        mine = tests[tests["run"] == name]
        paired = bool((mine["test"] == PAIRED).any())
        places = mine[["model", "axis", "reference", "value"]].drop_duplicates()
        pieces = [
            group_differences(
                outcomes, groups[name], str(model), str(axis), (reference, value), confidence,
                split, paired,
            )
            for model, axis, reference, value in places.itertuples(index=False)
        ]  # fmt: skip
        if pieces:
            found[name] = pd.concat(pieces, ignore_index=True)
            notes = [note for each in pieces for note in each.attrs["notes"]]
            found[name].attrs["notes"] = list(dict.fromkeys(notes))
    return found
