"""What a run holds: coverage, what is missing or failed, skips, versions, the commands so far."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lpa.axes import format_value
from lpa.errors import one_line
from lpa.outcomes.feature_error import feature_error
from lpa.outcomes.reading import Outcomes
from lpa.outcomes.record import DIVERGED

__all__ = ["Overview", "overview"]


COLUMNS = ["model", "axis", "values", "draws", "planned", "complete", "missing"]
"""Of the coverage, also where nothing is stored."""


@dataclass(frozen=True)
class Overview:
    """A run in short.

    Attributes
    ----------
    facts : dict
        Kind, data, images, classes, seed, precision, shard size, units.
    coverage : DataFrame
        One row per model and axis: ``values``, ``draws``, ``planned`` cells, ``complete`` cells
        and ``missing`` (samples of planned cells that are not stored, in per cent).
    skips : dict of str to str
        File name -> why it cannot be decoded.
    failures : list of dict
        What failed and is still missing: shard, model, reason.
    damaged : list of str
        Units that cannot be read.
    versions : dict of str to str
        Versions that the latest command ran with.
    commands : list of str
        What was asked, oldest first.
    """

    facts: dict[str, Any]
    coverage: pd.DataFrame
    skips: dict[str, str]
    failures: list[dict[str, Any]]
    damaged: list[str]
    versions: dict[str, str]
    commands: list[str]

    @property
    def complete(self) -> bool:
        """Whether everything that was planned is stored."""
        return not self.damaged and bool(
            (self.coverage["complete"] == self.coverage["planned"]).all()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **self.facts,
            "is_complete": self.complete,
            "coverage": self.coverage.to_dict("records"),
            "skips": self.skips,
            "failures": self.failures,
            "damaged": self.damaged,
            "versions": self.versions,
            "commands": self.commands,
        }

    def __str__(self) -> str:
        """Write the overview as plain text."""
        facts = {**self.facts}
        if facts["images"] is None:
            facts["images"] = "not imported, only counts of right predictions by class"
        lines = [f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()]
        nothing = not self.facts["units"] and not self.coverage["complete"].any()
        lines += ["", *["nothing is stored yet; planned are:"] * nothing]
        lines += self.coverage.to_string(index=False).split("\n")
        if self.damaged:
            again = "scan with --repair" if self.facts["kind"] == "scan" else "command"
            lines += ["", f"damaged (the same {again} computes them again):"]
            lines += [f"  {name}" for name in self.damaged]
        lines += self._failed()
        if self.skips:
            lines += ["", f"skipped, cannot be decoded ({len(self.skips)}):"]
            lines += [f"  {name}: {reason}" for name, reason in self.skips.items()]
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        lines += ["", f"versions: {versions}", "commands:"]
        lines += [f"  {command}" for command in self.commands]
        return "\n".join(map(one_line, lines))

    def _failed(self) -> list[str]:
        """List what failed, and apart from it the trainings that diverged."""
        diverged = [f for f in self.failures if f["reason"].startswith(DIVERGED)]
        others = [f for f in self.failures if f not in diverged]
        # Only a scan has several shards.
        shards = self.facts["kind"] == "scan"
        lines = ["", "failed (tried again by the same command):"] if others else []
        lines += [
            f"  {'shard {}: '.format(f['shard']) if shards else ''}{f['model'] or 'data'}: "
            f"{f['reason']}"
            for f in others
        ]
        if diverged:
            lines += ["", "diverged (trained again by the same command with --retry):"]
            lines += [f"  {f['model']}: {f['reason'].removeprefix(DIVERGED)}" for f in diverged]
        return lines


def overview(path: str | os.PathLike[str]) -> Overview:
    """Describe a run; damaged units are listed, not refused.

    Raises
    ------
    InputError
        For a folder that is no run.
    """
    outcomes = Outcomes(path, tolerant=True)
    record = outcomes.record
    plans = outcomes.plans
    facts = {
        "run": str(outcomes.store),
        "kind": record.kind,
        "data": record.data,
        "split": record.split or "default",
        "images": None if outcomes.counts_only else len(outcomes.declared),
        "classes_with_images": _classes_with_images(outcomes),
        "classes": len(record.classes),
        "seed": record.seed,
        "precision": record.precision,
        "shard_size": record.shard_size,
        "units": len(outcomes.units),
        "fingerprint": record.fingerprint,
    }
    features = feature_error(outcomes.units)
    if features is not None:
        facts["features"] = features
    names = dict(zip(outcomes.declared.sample.tolist(), outcomes.declared.name, strict=True))
    return Overview(
        facts,
        _coverage(outcomes),
        {names[sample]: reason for sample, reason in sorted(outcomes.skips.items())},
        [
            {key: failure[key] for key in ("shard", "model", "reason")}
            for failure in outcomes.failures
        ],
        outcomes.damaged,
        dict(plans[-1].get("versions", {})) if plans else {},
        [str(plan.get("command", "")) for plan in plans],
    )


def _classes_with_images(outcomes: Outcomes) -> int:
    if outcomes.counts_only:
        return int(outcomes.counts.loc[outcomes.counts["n"] > 0, "class"].nunique())
    return len(np.unique(outcomes.declared.label))


def _coverage(outcomes: Outcomes) -> pd.DataFrame:
    """Compare what the plans asked for with what is stored, by model and axis."""
    planned: dict[tuple[str, str], set[tuple[float | None, int]]] = {}
    for model in outcomes.models if outcomes.record.kind == "scan" else ():
        planned[model, "(identity)"] = {(None, 0)}
    for model, axis, value, draw in outcomes.planned:
        planned.setdefault((model, axis), set()).add((value, draw))
    stored: dict[tuple[str, str], dict[tuple[float | None, int], int]] = {}
    for entry in outcomes.coverage:
        cell = entry.cell
        place = stored.setdefault((cell.model, cell.axis or "(identity)"), {})
        place[cell.value, cell.replicate] = entry.stored
    if outcomes.counts_only:
        return _counted(outcomes)
    rows = []
    for key in sorted({*planned, *stored}):
        wanted = planned.get(key, set()) | set(stored.get(key, {}))
        counts = [stored.get(key, {}).get(cell, 0) for cell in wanted]
        total = len(outcomes.samples)
        values = sorted({value for value, _ in wanted if value is not None})
        share = 1 - sum(counts) / (total * len(wanted)) if total and wanted else 0.0
        rows.append(
            {
                "model": key[0],
                "axis": key[1],
                "values": ",".join(format_value(value) for value in values),
                "draws": 1 + max((draw for _, draw in wanted), default=0),
                "planned": len(wanted),
                "complete": sum(count == total for count in counts),
                "missing": f"{100 * share:.1f} %",
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _counted(outcomes: Outcomes) -> pd.DataFrame:
    """Describe imported counts, which are complete as they are."""
    rows = []
    for (model, axis), part in outcomes.counts.groupby(["model", "axis"], dropna=False):
        cells = part[["value", "replicate"]].drop_duplicates()
        values = sorted(float(value) for value in cells["value"].dropna().unique())
        rows.append(
            {
                "model": model,
                "axis": axis if isinstance(axis, str) else "(identity)",
                "values": ",".join(format_value(value) for value in values),
                "draws": 1 + int(cells["replicate"].max()),
                "planned": len(cells),
                "complete": len(cells),
                "missing": "0.0 %",
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)
