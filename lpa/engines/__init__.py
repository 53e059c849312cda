"""Engines: run work units. A new engine is a file here; its outcomes equal ``in_process``'s."""
