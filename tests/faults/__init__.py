"""Faults on purpose: kill, stop, fill up and damage commands and runs, and see that they go on."""
