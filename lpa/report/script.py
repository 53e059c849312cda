"""The page's script: several files that share one function, so that the page stays one file."""

from __future__ import annotations

import importlib.resources

__all__ = ["PARTS", "page_script"]

PARTS = (
    "page", "numbers", "view", "layout", "curves", "source", "heat", "multiples", "ranking",
    "classes", "pictures", "findings", "examples", "downloads", "controls", "start",
)  # fmt: skip
"""``assets/report_<part>.js`` in the order in which they run; the last starts the page."""


def page_script() -> str:
    """Return the parts as one function: their names are known to each other and to nobody else."""
    assets = importlib.resources.files("lpa_assets")
    texts = [assets.joinpath(f"report_{part}.js").read_text("utf-8") for part in PARTS]
    return "\n".join(['(() => {\n"use strict";', *texts, "})();"])
