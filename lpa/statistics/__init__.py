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
    "preservation": "lpa.statistics.preservation:preservation",
    "mean_loss": "lpa.statistics.mean_loss:mean_loss",
    "threshold": "lpa.statistics.threshold:threshold",
    "drop_test": "lpa.statistics.drop_test:drop_test",
    "worst_classes": "lpa.statistics.worst_classes:worst_classes",
    "class_spread": "lpa.statistics.spread:class_spread",
    "hurt_and_helped": "lpa.statistics.hurt_helped:hurt_and_helped",
    "run_test": "lpa.statistics.run_test:run_test",
    "run_test_summary": "lpa.statistics.run_test_summary:run_test_summary",
    "oracle_gain": "lpa.statistics.oracle:oracle_gain",
    "sweeps_compared": "lpa.statistics.sweeps_compared:sweeps_compared",
    "end_points": "lpa.statistics.end_points:end_points",
    "policies_compared": "lpa.statistics.policies_compared:policies_compared",
    "ranking": "lpa.statistics.ranking:ranking",
    "agreement": "lpa.statistics.agreement:agreement",
    "model_pairs": "lpa.statistics.agreement:model_pairs",
    "model_spread": "lpa.statistics.model_spread:model_spread",
    "ensemble_loss": "lpa.statistics.ensemble:ensemble_loss",
    "ensemble_accuracy": "lpa.statistics.ensemble:ensemble_accuracy",
    "drift": "lpa.statistics.drift:drift",
    "relabelled_loss": "lpa.statistics.relabelling:relabelled_loss",
    "relabelled_accuracy": "lpa.statistics.relabelling:relabelled_accuracy",
    "policy": "lpa.statistics.policy:policy",
    "class_states": "lpa.statistics.policy:class_states",
    "gate": "lpa.statistics.gate:gate",
    "compare_models": "lpa.statistics.paired:compare_models",
    "compare_values": "lpa.statistics.paired:compare_values",
}
"""Name -> "module:function"; imported on use."""
