"""What a page says of each run, in words."""

from __future__ import annotations

from typing import Any

from lpa.outcomes import Outcomes, content_hash
from lpa.report.sources import Source, Sources
from lpa.report.wording import count

__all__ = ["about", "backbone_runs", "model_facts"]


def about(run: Source) -> dict[str, Any]:
    """Return what the page says of one run."""
    outcomes: Outcomes = run.outcomes
    return {
        "name": run.name,
        "record": outcomes.record,
        "trained": run.trained,
        "models": len(run.models),
        "images": int(run.sizes.sum()),
        "classes": int((run.sizes > 0).sum()),
        "varied": _varied(run),
        "replicates": _replicates(run),
        "plans": outcomes.plans,
        "versions": _versions(outcomes.plans),
        "hash": content_hash(sorted(entry.cell.id for entry in outcomes.coverage))[:16],
    }


def backbone_runs(outcomes: Outcomes) -> list[dict[str, Any]]:
    """Return what a probe recorded of the sweeps that its backbones come from, each once."""
    said = [plan.get("source", {}) for plan in outcomes.plans]
    said.append(outcomes.record.reference.get("source", {}))
    runs = {str(run["path"]): run for one in said for run in one.get("runs", [])}
    return list(runs.values())


def _varied(run: Source) -> str:
    """Name what was varied: a sweep's regularizers with their units, else how many axes."""
    if run.outcomes.record.kind in ("sweep", "probe"):
        noun = "the regularizer" if len(run.axes) == 1 else "the regularizers"
        where = "of the pre-training " if run.outcomes.record.kind == "probe" else ""
        return f"{noun} {where}" + ", ".join(
            f"{shown} ({run.axis(own).unit})" for own, shown in run.axes.items()
        )
    if run.outcomes.record.kind == "scan":
        return count(len(run.axes), "augmentation")
    return "1 axis" if len(run.axes) == 1 else f"{len(run.axes)} axes"


def _replicates(run: Source) -> str:
    """Say how many draws or training runs a value has."""
    sizes = run.measured.groupby(["model", "axis", "value"])["replicate"].nunique().reset_index()
    if not run.trained:
        # The identity is computed once.
        references = {own: run.axis(own).reference for own in run.axes}
        beside = sizes["value"] != sizes["axis"].map(references)
        sizes = sizes[beside] if beside.any() else sizes
    least, most = int(sizes["replicate"].min()), int(sizes["replicate"].max())
    if run.outcomes.record.kind == "import" and not run.trained and most == 1:
        return "1 prediction for each image and value"
    noun = "training run" if run.trained else "random draw"
    number = count(most, noun)
    return f"{number} of each value" if least == most else f"{least} to {number} of a value"


def model_facts(sources: Sources) -> list[tuple[str, str]]:
    """Return the columns of the table of models of which something is known: key and heading."""
    columns = {
        "weights": "Weights",
        "preprocessing": "Preprocessing",
        "published_accuracy": "Published, %",
    }
    known = [facts for run in sources.runs for facts in run.outcomes.models.values()]
    return [(key, head) for key, head in columns.items() if any(f.get(key) for f in known)]


def _versions(plans: list[dict[str, Any]]) -> list[str]:
    """Return the distinct versions that computed the run, in the order of the plans."""
    lines = []
    for plan in plans:
        parts = [f"{name} {version}" for name, version in dict(plan.get("versions", {})).items()]
        lines.append(", ".join(parts))
    return [line for line in dict.fromkeys(lines) if line]
