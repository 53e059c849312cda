"""Policies: which class gets which strength and which target. Torch-free register."""
