"""Opened runs: what was chosen of them goes to statistics, figures, exports and the report."""

from lpa.runs.run import Run, open_run

__all__ = ["Run", "open_run"]
