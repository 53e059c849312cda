"""What became of the cases, for people."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

__all__ = ["summary", "table"]


def summary(record: Mapping[str, Any]) -> str:
    """Write one line of a case."""
    ended = ", ".join(str(status) for status, _ in record["ended"])
    good = record["continued"] and not record["complaints"]
    return (
        f"{record['case']:4d} {'ok ' if good else 'BAD'} {'' if record['struck'] else '(late) '}"
        f"{record['kind']} / {record['experiment']} / {record['place']} / {record['process']} "
        f"[{ended}] {record['seconds']} s: {'; '.join(record['notes'])}"
        + "".join(f"\n       {text}" for text in record["complaints"])
    )


def table(records: Sequence[Mapping[str, Any]], skipped: Mapping[str, str], seed: int) -> str:
    """Write a Markdown table by kind and experiment, with its sums."""
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        rows.setdefault((record["kind"], record["experiment"]), []).append(record)
    lines = [
        f"{datetime.date.today()}, seed {seed}, {_machine()}",
        "",
        "| fault | experiment | cases | struck | continued | lost | doubled | complaints |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for (kind, experiment), found in sorted(rows.items()):
        lines.append(f"| {kind} | {experiment} | {_cells(found)} |")
    lines.append(f"| all | | {_cells(records)} |")
    if skipped:
        lines += ["", *(f"Left out: {name} ({reason})." for name, reason in skipped.items())]
    return "\n".join(lines) + "\n"


def _cells(found: Sequence[Mapping[str, Any]]) -> str:
    sums = [
        len(found), *(sum(record[name] for record in found) for name in
        ("struck", "continued", "lost", "doubled")),
        sum(len(record["complaints"]) for record in found),
    ]  # fmt: skip
    return " | ".join(map(str, sums))


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("lpa", "torch", "numpy", "pyarrow"))
    return (
        f"{platform.system()} {platform.release()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}, {packages}"
    )
