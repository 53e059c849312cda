"""SECURITY.md names a test for each promise, and the test is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_promise_names_a_test_that_there_is() -> None:
    lines = [
        line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")
    ][1:]
    promises = [line for line in lines if not line.startswith("| ---")]
    assert len(promises) >= 10
    for promise in promises:
        assert NAMED.findall(promise) or "`tests/fuzz`" in promise, promise
    for file, name in NAMED.findall("\n".join(promises)):
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_the_readme_links_to_it() -> None:
    assert "(SECURITY.md)" in (ROOT / "README.md").read_text()
