"""The report: run folders -> statistics -> one HTML page that opens offline.

Needs neither torch nor the data. Python computes every number; the page's script only draws.
"""

from __future__ import annotations

import importlib.resources
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from plotly.offline import get_plotlyjs

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.figures.theme import theme
from lpa.outcomes import Outcomes, Store, local_path
from lpa.report.comparisons import compare_sweeps
from lpa.report.curves import CurveTables
from lpa.report.described import about, model_facts
from lpa.report.drifts import drifts
from lpa.report.findings import Findings, find
from lpa.report.flips import flips
from lpa.report.held import Held
from lpa.report.looked_at import looked_at
from lpa.report.omissions import omissions, shared_classes
from lpa.report.pictures import PictureFiles, class_pictures, strips
from lpa.report.rankings import Rankings
from lpa.report.script import page_script
from lpa.report.shown_tables import (
    ShownTable,
    agreements,
    hurt_counts,
    oracle_bracket,
    run_tests,
)
from lpa.report.source_and_target import compare_with_source
from lpa.report.sources import FEWEST, Sources
from lpa.report.wording import count, percent, pieces, points

__all__ = ["write_report"]

PICTURE_BYTES = 1_200_000
STRIP_BYTES = 1_600_000
"""Budgets of pictures inside a page, for all its runs."""


def write_report(outcomes: Outcomes | Sequence[Outcomes], path: str | os.PathLike[str]) -> Path:
    """Write the report of one run, or of several side by side, and return its path.

    Parameters
    ----------
    outcomes : Outcomes or sequence of Outcomes
        The runs. Their classes and axes are matched by name.
    path : path
        The page to write. Pictures beyond a budget of 2.8 MB go to ``<stem>_files`` beside it.

    Raises
    ------
    InputError
        When a run has no complete cell or no axis, for a folder, and when the page cannot be
        written.
    """
    page = local_path(path)
    if page.is_dir():
        raise InputError(
            f"{page} is a directory; expected the page's file, e.g. {page / 'report.html'}"
        )
    runs = [outcomes] if isinstance(outcomes, Outcomes) else list(outcomes)
    sources = Sources([Held(run) for run in runs])
    try:
        text = _Page(sources, PictureFiles(page)).text()
        Store(page.absolute().parent).put(page.name, text.encode())
    except OSError as error:
        raise InputError(
            f"cannot write {page} ({(error.strerror or str(error)).lower()}); "
            "expected a file in a writable directory: give another with -o FILE"
        ) from error
    return page


class _Page:
    """Everything that a page shows, computed once."""

    def __init__(self, sources: Sources, files: PictureFiles) -> None:
        self.sources, self.files = sources, files
        self.curves = CurveTables(sources)
        self.looks = [
            {} if run.counted
            else looked_at(run, self.curves.means[self.curves.means["run"] == at])
            for at, run in enumerate(sources.runs)
        ]  # fmt: skip
        self.looked = [{axis: look.value for axis, look in looks.items()} for looks in self.looks]
        self.findings: Findings = find(sources, self.looked, self.curves.classes)
        self.rankings = Rankings(sources, self.findings.states)
        self.hurt = hurt_counts(sources)
        self.agreement, self.pairs = agreements(sources)
        self.table_one = run_tests(sources)
        self.oracle = oracle_bracket(sources)
        self.compared = compare_sweeps(sources)
        self.homes = compare_with_source(sources)
        self.pictured: list[bool] = []

    @property
    def tables(self) -> dict[str, ShownTable]:
        """The tables by the name of their download."""
        return {
            "hurt": self.hurt, "agreement": self.agreement, "pairs": self.pairs,
            "table-1": self.table_one, "oracle": self.oracle, "end-points": self.compared.ends,
            "compared-counts": self.compared.counts, "compared-classes": self.compared.classes,
            "source": self.homes.gains, "source-classes": self.homes.classes,
        }  # fmt: skip

    def text(self) -> str:
        """Return the page."""
        assets = importlib.resources.files("lpa_assets")
        environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(lambda name: assets.joinpath(name).read_text("utf-8")),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        environment.filters.update(
            percent=percent, points=points, value=format_value, count=count, pieces=pieces
        )
        # "<" inside the data could end the element that holds them.
        embedded = json.dumps(self.data(), allow_nan=False, separators=(",", ":"))
        return environment.get_template("report.html").render(
            **self._facts(),
            data=embedded.replace("<", "\\u003c"),
            beside=self.files.count,
            plotly=get_plotlyjs(),
            style=assets.joinpath("report.css").read_text("utf-8"),
            script=page_script(),
        )

    def data(self) -> dict[str, Any]:
        """Return what the page's script draws."""
        listed = self.findings.listed
        pictures, samples = self._pictures()
        self.pictured = [bool(each) for each in pictures]
        examples = self._strips()
        first = [each.class_at for each in listed[:3]] or self.curves.spread_classes()
        return {
            **self.curves.to_dict(),
            "first": first,
            "findings": [
                {"run": each.run, "model": each.model_at, "axis": each.axis_at,
                 "split": each.split_at, "class": each.class_at, "value": each.value,
                 "markdown": each.markdown, "numbers": _numbers_of(each)}
                for each in listed
            ],
            "ranks": self.rankings.to_list(),
            "drifts": drifts(self.sources, self.looked),
            "pictures": pictures,
            "flips": flips(self.sources, samples),
            "strips": examples,
            "homes": self.homes.curves,
            "titles": [list(run.outcomes.classes.labels) for run in self.sources.runs],
            "tables": {name: table.to_dict() for name, table in self.tables.items()},
            "theme": theme(),
        }  # fmt: skip

    def _facts(self) -> dict[str, Any]:
        sources = self.sources
        return {
            "sources": sources,
            "runs": [about(run) for run in sources.runs],
            "axes": [(sources.axis_of[name].renamed(name), self.curves.values(name))
                     for name in sources.axes],
            "models": [
                (shown, run.outcomes.models.get(own, {}))
                for run in sources.runs for own, shown in run.models.items()
            ],
            "model_facts": model_facts(sources),
            "fine": self._looked_texts(True),
            "fallen": self._looked_texts(False),
            "findings": self.findings,
            "fewest": FEWEST,
            "key_numbers": _key_numbers(self.curves),
            "omissions": [
                *shared_classes(sources),
                *sources.say(lambda run: omissions(run.outcomes)),
                *(f"{note}." for note in self.rankings.notes),
                *(f"{note}." for note in self.curves.classes.attrs["notes"]),
            ],
            "first": self.compared.first,
            "tables": self.tables,
            "homes": self.homes.data,
            "levels": list(dict.fromkeys(self.curves.classes["level"])),
            "trained": any(run.trained for run in sources.runs),
            "fixed": not all(run.trained for run in sources.runs),
            "counted": all(run.counted for run in sources.runs),
            "paired": any(run.outcomes.record.paired for run in sources.runs),
            "pictured": any(self.pictured),
            "one_model": max(len(run.models) for run in sources.runs) == 1,
            "single": bool((sources.sizes <= 1).all()),
            "some_single": bool((sources.sizes == 1).any()),
            "version": version("lpa"),
        }  # fmt: skip

    def _looked_texts(self, fine: bool) -> list[str]:
        """Name the values looked at, where the average still looks fine or where it does not."""
        of_runs: dict[tuple[str, str], list[str]] = {}
        with_axis: dict[str, list[str]] = {}
        for run, looks in zip(self.sources.runs, self.looks, strict=True):
            for axis, look in looks.items():
                with_axis.setdefault(run.axes[axis], []).append(run.name)
                if look.fine == fine:
                    place = f"{run.axes[axis]} {format_value(look.value)}"
                    of_runs.setdefault((run.axes[axis], place), []).append(run.name)
        return [
            place if names == with_axis[axis] else f"{place} in {' and '.join(names)}"
            for (axis, place), names in of_runs.items()
        ]

    def _pictures(self) -> tuple[list[dict[int, Any]], list[list[int]]]:
        """Return each run's pictures by class, and its samples in the order of their numbers."""
        shown: list[dict[int, Any]] = []
        samples: list[list[int]] = []
        for at, run in enumerate(self.sources.runs):
            found = class_pictures(
                run.outcomes, self.files, self._wanted(at),
                PICTURE_BYTES // len(self.sources.runs), at,
            )  # fmt: skip
            mine: dict[int, Any] = {}
            numbers: list[int] = []
            for label, images in found.items():
                place = int(self.sources.positions[at][label])
                mine[place] = {"start": len(numbers), "sources": [i.source for i in images]}
                numbers += [image.sample for image in images]
            shown.append(mine)
            samples.append(numbers)
        return shown, samples

    def _strips(self) -> list[dict[str, Any]]:
        result = []
        for at, run in enumerate(self.sources.runs):
            models, axes = list(run.models), list(run.axes)
            examples = strips(
                run.outcomes, self.files, axes, models, self._wanted(at),
                STRIP_BYTES // len(self.sources.runs), at,
            )  # fmt: skip
            on_page = [self.sources.models.index(run.models[name]) for name in models]
            of_axis = [self.sources.axes.index(run.axes[name]) for name in axes]
            for strip in examples:
                for item in strip["items"]:
                    item["axis"] = None if item["axis"] is None else of_axis[item["axis"]]
                    item["verdicts"] = [[on_page[m], said] for m, said in item["verdicts"]]
                place = int(self.sources.positions[at][strip["label"]])
                result.append({**strip, "run": at, "class": place})
        return result

    def _wanted(self, run: int) -> list[int]:
        """Return a run's own indices of the classes whose pictures come first."""
        places = [each.class_at for each in self.findings.listed]
        places += self.curves.spread_classes()
        own = {int(place): label for label, place in enumerate(self.sources.positions[run])}
        return list(dict.fromkeys(own[place] for place in places if place in own))


def _numbers_of(each: Any) -> dict[str, Any]:
    """Return the numbers of a finding for its download."""
    return {
        "title": each.title, "model": each.model, "place": each.place, "loss": each.loss,
        "low": each.low, "high": each.high, "level": each.level, "n": each.n,
        "reference_accuracy": each.reference_accuracy, "accuracy": each.accuracy,
        "flips": each.flips, "most_go_to": each.target, "that_go_there": each.to_target,
        "p_holm": None if pd.isna(each.p_holm) else each.p_holm,
    }  # fmt: skip


def _key_numbers(curves: CurveTables) -> list[dict[str, Any]]:
    """Return, per model and split, the overall accuracy at the reference and at the strongest."""
    sources = curves.sources
    overall = curves.means[curves.means["aggregate"] == "overall"]
    rows = []
    for key, part in overall.groupby(["run", "model_at", "split_at"], sort=False):
        at, model, split = np.asarray(key, dtype=np.int64).tolist()
        run = sources.runs[at]
        part = part[part["level"] == run.level]
        cells: list[Any] = []
        reference = None
        for number, name in enumerate(sources.axes):
            on_axis = part[part["axis_at"] == number]
            here = on_axis[on_axis["value"] == sources.axis_of[name].reference]
            if len(here) and reference is None:
                reference = here.iloc[0]
            beyond = on_axis[on_axis["value"] == curves.values(name)[-1]]
            cells.append(beyond.iloc[0] if len(beyond) else None)
        rows.append({"model": sources.models[model], "split": sources.splits[split],
                     "reference": reference, "cells": cells})  # fmt: skip
    return rows
