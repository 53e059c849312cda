"""Probing: frozen backbones -> features -> linear heads. Knows nothing of runs."""
