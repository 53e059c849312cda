"""Policies of training beside the plain one, as a method of an opened run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import pandas as pd

from lpa.errors import unknown
from lpa.runs.choices import numbers
from lpa.runs.opened import OpenedRun, noted

__all__ = ["ComparedPolicies"]


class ComparedPolicies(OpenedRun):
    """How policies do beside the plain training. The statistics are imported on use."""

    def policies(
        self,
        values: str | float | Sequence[float] | None = None,
        *,
        beside: Sequence[OpenedRun] = (),
        by_class: bool = False,
        classes: str | Sequence[str] | None = None,
        models: str | Sequence[str] | None = None,
        axes: str | Sequence[str] | None = None,
        split: str | None = None,
        family: Literal["one", "all"] = "one",
        fdr: Literal["bh", "by"] = "bh",
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """Compare every policy of a training sweep with the plain training.

        Parameters
        ----------
        values : str, float or sequence of float, optional
            Only these, fixed beforehand; by default every value beside the reference.
        beside : sequence of Run
            Further sweeps, in which policies or the plain training are; classes and images are
            matched by name and by bytes.
        by_class : bool
            Every class instead of the end points (mean of classes, worst tenth, targeted classes).
        classes : str or sequence of str, optional
            The targeted classes, in place of those that the policies treat otherwise; with
            ``by_class`` only these are shown, and corrections remain those for all.
        models : str or sequence of str, optional
            Only these models (``MODEL+POLICY``, or ``MODEL`` for all of its policies).
        axes, split
            Only these.
        family : {"one", "all"}
            What is corrected together: end points x policies of a model, axis and value, or all of
            a level and direction.
        fdr : {"bh", "by"}
            Benjamini-Hochberg or Benjamini-Yekutieli.
        confidence : float
            Of each interval, in (0, 1).

        Returns
        -------
        DataFrame
            See :func:`~lpa.statistics.policies_compared.policies_compared`.
            ``attrs["notes"]`` says what was left out.

        Raises
        ------
        InputError
            For unknown names, for runs without policies, and where nothing can be compared.
        """
        from lpa.statistics.policies_compared import policies_compared

        runs, notes = self._beside(beside, None, axes, confidence)
        labels = self._chosen(classes, notes, split)
        targeted = [self.outcomes.classes.names[label] for label in labels or ()]
        if isinstance(values, str):
            values = numbers(values)
        elif isinstance(values, int | float):
            values = [float(values)]
        found = policies_compared(
            runs,
            values,
            () if by_class else targeted,
            self._with_policies(beside, models),
            family,
            confidence,
            split,
            cast(Literal["fdr_bh", "fdr_by"], f"fdr_{fdr}"),
            by_class=by_class,
        )
        table = found.classes if by_class else found.end_points
        if by_class and targeted:
            attrs, table = table.attrs, table[table["class"].isin(targeted)]
            table = table.reset_index(drop=True)
            table.attrs = attrs
        return noted(table, notes)

    def _with_policies(
        self, beside: Sequence[OpenedRun], models: str | Sequence[str] | None
    ) -> list[str] | None:
        """Return the names of the chosen models; a plain one stands for all of its policies."""
        if models is None:
            return None
        asked = models.split(",") if isinstance(models, str) else list(models)
        known = [name for run in (self, *beside) for name in run.outcomes.models]
        for name in asked:
            if name not in known:
                raise unknown("model", name, known, "of these runs")
        plain = [name for name in asked if not any(name.startswith(f"{k}+") for k in known)]
        return [
            name
            for name in dict.fromkeys(known)
            if name in asked or any(name.startswith(f"{base}+") for base in plain)
        ]
