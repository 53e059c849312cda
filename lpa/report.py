"""The report: a run folder -> statistics -> one HTML page that opens offline.

Needs neither torch nor the data. Python computes every number; the page's script only draws.
"""

from __future__ import annotations

import importlib.resources
import json
import os
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from plotly.offline import get_plotlyjs

from lpa.axes import format_value
from lpa.errors import InputError
from lpa.figures.theme import theme
from lpa.outcomes import Outcomes, Store, content_hash
from lpa.report_curves import CurveTables
from lpa.report_pictures import PictureFiles, class_pictures, strips

__all__ = ["omissions", "write_report"]


def write_report(outcomes: Outcomes, path: str | os.PathLike[str]) -> Path:
    """Write the report of a run and return its path.

    Parameters
    ----------
    outcomes : Outcomes
        The run.
    path : path
        The page to write. Pictures beyond a budget of 3.5 MB go to ``<stem>_files`` beside it.

    Raises
    ------
    InputError
        When the run has no complete cell or no axis, and when the page cannot be written.
    """
    if not len(outcomes.cells):
        raise InputError(
            f"{outcomes.store} has no complete cell to report; run the same scan again to go on"
        )
    tables = CurveTables(outcomes)
    if not tables.axes:
        raise InputError(
            f"{outcomes.store} has no axis to report: only the identity was measured; "
            "run the scan with --aug"
        )
    page = Path(path)
    try:
        files = PictureFiles(page)
        data = _page_data(outcomes, tables, files)
        text = _rendered(outcomes, tables, data, files.count)
    except OSError as error:
        raise InputError(
            f"cannot write {page} ({(error.strerror or str(error)).lower()}); "
            "expected a file in a writable directory: give another with -o FILE"
        ) from error
    Store(page.absolute().parent).put(page.name, text.encode())
    return page


def omissions(outcomes: Outcomes) -> list[str]:
    """State what the numbers do not cover, one sentence each."""
    found = []
    if outcomes.skips:
        sample, reason = min(outcomes.skips.items())
        names = dict(zip(outcomes.declared.sample.tolist(), outcomes.declared.name, strict=True))
        found.append(
            f"{_count(len(outcomes.skips), 'image')} could not be decoded and "
            f"{'is' if len(outcomes.skips) == 1 else 'are'} in no number; "
            f"the first is {names.get(sample, sample)} ({reason})."
        )
    if outcomes.incomplete:
        first = outcomes.incomplete[0]
        place = "identity"
        if first.cell.axis is not None and first.cell.value is not None:
            place = f"{first.cell.axis} {format_value(first.cell.value)}"
        found.append(
            f"{_count(len(outcomes.incomplete), 'cell')} of {len(outcomes.coverage)} "
            "are unfinished and left out; the first is "
            f"{first.cell.model} at {place}, draw {first.cell.replicate}, with {first.stored} of "
            f"{first.expected} images."
        )
    for reason in dict.fromkeys(str(failure["reason"]) for failure in outcomes.failures):
        found.append(f"Failed: {reason}.")
    return [*found, *_thin_classes(outcomes), *_ragged(outcomes)]


def _thin_classes(outcomes: Outcomes) -> list[str]:
    size = np.bincount(np.asarray(outcomes.samples.label), minlength=len(outcomes.classes))
    single, empty = int((size == 1).sum()), int((size == 0).sum())
    found = []
    if single:
        who = (
            "Every class has" if single == (size > 0).sum() else
            f"{single} of {_count(int((size > 0).sum()), 'class')} have"
        )  # fmt: skip
        found.append(
            f"{who} one photograph: each curve describes that photograph, over its random draws. "
            "It says nothing of the class, so there are no intervals and no ranking."
        )
    few = int(((size > 1) & (size < 10)).sum())
    if few:
        found.append(
            f"{_count(few, 'class')} {'has' if few == 1 else 'have'} fewer than 10 images: "
            "shown with wide intervals, never ranked."
        )
    if empty:
        found.append(
            f"{empty:,} of {len(size):,} classes have no image in the data; "
            "models may still predict them."
        )
    return found


def _ragged(outcomes: Outcomes) -> list[str]:
    cells = outcomes.cells[outcomes.cells["axis"].notna()]
    found = []
    for axis, part in cells.groupby("axis", sort=False):
        every = part["value"].nunique()
        for model in outcomes.cells["model"].unique():
            values = part.loc[part["model"] == model, "value"].nunique()
            if values < every:
                found.append(f"{model} was measured at {values} of {every} values of {axis}.")
    return found


def _page_data(outcomes: Outcomes, tables: CurveTables, files: PictureFiles) -> dict[str, Any]:
    first = tables.first_classes()
    pictures = class_pictures(outcomes, files, [int(tables.shown[place]) for place in first])
    examples = strips(outcomes, files, tables.axes, tables.models)
    position = {int(label): place for place, label in enumerate(tables.shown)}
    said = {p for strip in examples for item in strip["items"] for _, p in item["verdicts"]}
    return {
        **tables.to_dict(),
        "first": first,
        "pictures": {position[label]: found for label, found in pictures.items()},
        "strips": [{**strip, "class": position[strip["label"]]} for strip in examples],
        "predictions": {
            index: outcomes.classes.labels[index] if index >= 0 else "no class of the run"
            for index in sorted(said)
        },
        "theme": theme(),
    }


def _rendered(outcomes: Outcomes, tables: CurveTables, data: dict[str, Any], beside: int) -> str:
    assets = importlib.resources.files("lpa_assets")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: assets.joinpath(name).read_text("utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(percent=_percent, value=format_value, count=_count)
    # "<" inside the data could end the element that holds them.
    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    draws = sorted({int(draw) for draw in tables.means["draws"]})
    return environment.get_template("report.html").render(
        record=outcomes.record,
        tables=tables,
        axes=[(tables.axis(name), tables.values(name)) for name in tables.axes],
        models=[(name, outcomes.models.get(name, {})) for name in tables.models],
        key_numbers=_key_numbers(tables),
        omissions=omissions(outcomes),
        images=len(outcomes.samples),
        draws=draws[-1],
        single=bool((tables.sizes == 1).all()),
        some_single=bool((tables.sizes == 1).any()),
        plans=outcomes.plans,
        versions=_versions(outcomes.plans),
        run_hash=content_hash(sorted(entry.cell.id for entry in outcomes.coverage))[:16],
        beside=beside,
        plotly=get_plotlyjs(),
        style=assets.joinpath("report.css").read_text("utf-8"),
        script=assets.joinpath("report.js").read_text("utf-8"),
        data=embedded,
    )


def _key_numbers(tables: CurveTables) -> list[dict[str, Any]]:
    """Return, per model and split, the overall accuracy at the reference and at the strongest."""
    rows = []
    overall = tables.means[tables.means["aggregate"] == "overall"]
    for (model, split), part in overall.groupby(["model", "split"], sort=False):
        cells = []
        reference = None
        for name in tables.axes:
            on_axis = part[part["axis"] == name]
            at = on_axis[on_axis["value"] == tables.axis(name).reference]
            if len(at) and reference is None:
                reference = at.iloc[0]
            beyond = on_axis[on_axis["value"] == tables.values(name)[-1]]
            cells.append(beyond.iloc[0] if len(beyond) else None)
        rows.append({"model": model, "split": split, "reference": reference, "cells": cells})
    return rows


def _versions(plans: list[dict[str, Any]]) -> list[str]:
    """Return the distinct versions that computed the run, in the order of the plans."""
    lines = []
    for plan in plans:
        parts = [f"{name} {version}" for name, version in dict(plan.get("versions", {})).items()]
        lines.append(", ".join(parts))
    return [line for line in dict.fromkeys(lines) if line]


def _percent(number: float) -> str:
    return "?" if pd.isna(number) else f"{100 * number:.1f}"


def _count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 image``, ``1,000 images``, ``3 classes``."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"
