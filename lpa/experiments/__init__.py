"""Experiments: plan -> units -> engine -> outcomes, each readable from top to bottom."""
