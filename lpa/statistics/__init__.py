"""Statistics: functions from the waist's tables to a table with intervals. Never loads torch.

One file per statistic. Each says in its docstring what is estimated, at which level the interval
speaks (``image``: models fixed, images are the sample; ``run``: images fixed, training runs are the
sample), the formula and its source.
"""

from __future__ import annotations

__all__ = ["STATISTICS"]

STATISTICS: dict[str, str] = {
    "class_accuracy": "lpa.statistics.accuracy:class_accuracy",
    "mean_accuracy": "lpa.statistics.aggregates:mean_accuracy",
}
"""Name -> "module:function"; imported on use."""
