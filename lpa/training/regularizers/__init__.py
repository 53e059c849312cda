"""Regularizers: one file and one line of the register each. Torch-free register."""
