"""Files that pages and class matching need; this package holds no code."""
