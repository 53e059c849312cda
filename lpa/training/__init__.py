"""Training: data, regularizers and policies -> trained models. Knows nothing of runs' reports."""
