"""Hostile and odd input: what hypothesis tries to break, one module per kind of input."""
