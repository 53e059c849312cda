"""``lpa test``: Table 1 for training runs, drop tests for runs of fixed models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .choices import (
    axes_option,
    classes_option,
    family_option,
    fdr_option,
    groups_option,
    models_option,
)
from .epilogs import examples
from .shown import in_its_direction, with_intervals
from .tables import READING, echo_notes, format_option, print_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["command"]

COUNTS = ["hurt_bh", "hurt_holm", "helped_bh", "helped_holm"]
SHORT = {
    "hurt_bh": "hurt BH", "hurt_holm": "hurt Holm", "helped_bh": "helped BH",
    "helped_holm": "helped Holm", "untestable": "no test", "significance": "at",
}  # fmt: skip


@click.command(
    "test",
    epilog=examples(
        "lpa test RUN",
        "lpa test RUN --value .5 --family all",
        "lpa test TRAININGS --values 1,.08 --by-class",
        "lpa test FIRST SECOND --format latex",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(), metavar="RUN...")
@click.option(
    "--values", metavar="REFERENCE,VALUE...",
    help="Training runs: the value compared with, then those compared.",
)  # fmt: skip
@click.option(
    "--value",
    type=float,
    help="Test this value; by default the mean loss along "
    "the axis, and for training runs every value.",
)
@family_option(
    "What is corrected together: the classes of one model, axis and direction, or all models and "
    "axes."
)
@fdr_option
@click.option(
    "--significance", metavar="LEVELS",
    help="Levels of the counts; .1,.05,.01 for training runs, .05 for fixed models.",
)  # fmt: skip
@click.option(
    "--summary/--by-class", "summary", default=None,
    help="Counts of classes, or every class; counts for training runs by default.",
)  # fmt: skip
@click.option("--paired", is_flag=True, help="Runs of the same number share their training seed.")
@click.option(
    "--looks", type=int, default=1, show_default=True, metavar="N",
    help="How often these runs were tested while seeds were added because of the results.",
)  # fmt: skip
@click.option(
    "--policies", is_flag=True,
    help="Training policies beside the plain training; --classes are then the targeted ones.",
)  # fmt: skip
@models_option
@axes_option
@classes_option
@groups_option
@click.option("--split", metavar="NAME", help="Only this split.")
@format_option
def command(
    runs: tuple[str, ...],
    values: str | None,
    value: float | None,
    family: str,
    fdr: str,
    significance: str | None,
    summary: bool | None,
    paired: bool,
    looks: int,
    policies: bool,
    models: str | None,
    axes: str | None,
    classes: str | None,
    groups: str | None,
    split: str | None,
    form: str,
) -> None:
    """Test which classes are hurt.

    RUN is the folder of a run; several of one kind stand side by side. Training runs are compared
    run by run (Table 1 of the paper), fixed models image by image. Both directions are tested, each
    as a family; for claims in both, hold p against half the level. For reading, each class has the
    test of the direction in which it went; csv and json have both.

    With --policies, every MODEL+POLICY is compared with MODEL at --value (by default each): mean of
    classes, worst tenth, and the classes that the policy is made for; with --by-class every class.
    """
    import lpa

    first, *others = [lpa.open(run) for run in runs]
    if policies:
        if values is not None or groups is not None or paired or looks != 1 or significance:
            raise lpa.InputError(
                "--policies compares trainings at the same value; leave --values, --groups, "
                "--paired, --looks and --significance out"
            )
        table = first.policies(
            value, beside=others, by_class=summary is False, classes=classes, models=models,
            axes=axes, split=split, family="all" if family == "all" else "one",
            fdr="by" if fdr == "by" else "bh",
        )  # fmt: skip
        echo_notes(table.attrs["notes"])
        print_table(_shown_policies(table) if form in READING else table, form)
        return
    table = first.test(
        values, value=value, beside=others, by_class=None if summary is None else not summary,
        classes=classes, groups=groups, models=models, axes=axes, split=split,
        family="all" if family == "all" else "one", fdr="by" if fdr == "by" else "bh",
        significance=significance,
        paired=paired, looks=looks,
    )  # fmt: skip
    echo_notes(table.attrs["notes"])
    print_table(_shown(table) if form in READING else table, form)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    if "group" in table.columns:
        estimate = "difference" if "difference" in table.columns else "loss"
        table = with_intervals(table, {estimate: ("low", "high")})
        left_out = ["low", "high", "method"]
        columns = [name for name in table.columns if name not in (*left_out, "interval")]
        columns.insert(columns.index(estimate) + 1, "interval")
        return table[columns].rename(columns=SHORT)
    if "nominal_bound" in table.columns:
        shares = {
            "lower": "lower %", "nominal_bound": "by luck %", "higher": "higher %",
            "not_testable": "no test %",
        }  # fmt: skip
        welch = []
        if table["tested"].eq(0).any():
            # No decision is made; Welch's own shares are shown all the same (STATISTICS 3.7).
            shares |= {"lower_welch": "Welch lower %", "higher_welch": "Welch higher %"}
            welch = ["lower_welch", "higher_welch", "claim"]
        table = table.assign(**{name: (100 * table[name]).round(1) for name in shares})
        counts = {"lower_bh": "BH", "lower_holm": "Holm"}
        table[list(counts)] = table[list(counts)].astype("Int64")
        table["seeds"] = table["runs_reference"].astype(str) + "+" + table["runs"].astype(str)
        columns = ["run", "model", "axis", "split", "reference", "value", "significance", "lower"]
        columns += ["nominal_bound", *counts, "higher", "not_testable", *welch]
        columns += ["classes", "seeds", "test"]
        return table[[*columns, "level"]].rename(columns=shares | counts | {"significance": "at"})
    if "p_welch" in table.columns:
        table = in_its_direction(table, "difference", "lower", "higher")
        table = with_intervals(table, {"difference": ("low", "high")})
        columns = ["run", "model", "axis", "split", "reference", "value", "direction", "class"]
        columns += ["title", "difference", "interval", "p", "p_bh", "p_holm"]
        # Where a few seeds leave the decision to another test, or to none.
        columns += ["p_welch"] if not table["p"].equals(table["p_welch"]) else []
        columns += ["status", "n", "test"]
        return table[[*columns, "level"]]
    if "hurt_bh" in table.columns:
        columns = [
            "run",
            "model",
            "axis",
            *(["value"] if "value" in table.columns else []),
            "split",
        ]
        columns += [*COUNTS, "classes", "untestable", "significance", "level"]
        return table[columns].rename(columns=SHORT)
    table = in_its_direction(table, "loss", "helped", "hurt")
    columns = ["run", "model", "axis", "value", "split", "direction", "class", "title", "loss"]
    columns += ["p", "p_bh", "p_holm", "n", "m", "method", "level"]
    return table[columns]


def _shown_policies(table: pd.DataFrame) -> pd.DataFrame:
    table = in_its_direction(table, "difference", "lower", "higher")
    table = with_intervals(table, {"difference": ("low", "high")})
    # Beside its plain model a policy needs no second time the model's name.
    models = [name.rpartition(": ")[2] for name in table["baseline"]]
    table["policy"] = [
        name.replace(f"{model}+", "", 1)
        for name, model in zip(table["policy"], models, strict=True)
    ]
    place = ["baseline", "policy", "axis", "value", "split"]
    if "end_point" in table.columns:
        scores = ["end_point", "score_baseline", "score"]
    else:
        scores = ["class", "title", "accuracy_baseline", "accuracy"]
    tests = ["difference", "interval", "direction", "p", "p_holm", "m", "mark"]
    columns = [*place, *scores, *tests, "runs_baseline", "runs", "n", "level"]
    return table[columns].rename(
        columns={"score_baseline": "plain", "accuracy_baseline": "plain", "runs_baseline": "seeds"}
    )
