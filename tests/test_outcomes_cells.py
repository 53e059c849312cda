from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lpa.outcomes import Cell, cell_id, content_hash
from lpa.outcomes.cells import CellColumns

PARTS = {
    "model": "abc",
    "augmentation": {"name": "crop", "revision": 1},
    "value": 0.5,
    "replicate": 0,
    "seed": 0,
    "precision": "fp32",
    "data": "d",
}


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("model", "abd"), ("augmentation", {"name": "crop", "revision": 2}), ("value", 0.25),
        ("replicate", 1), ("seed", 1), ("precision", "fp16"), ("data", "e"),
    ],
)  # fmt: skip
def test_every_part_that_an_outcome_depends_on_changes_the_id(part: str, other: object) -> None:
    assert cell_id(**{**PARTS, part: other}) != cell_id(**PARTS)


def test_the_identity_is_the_same_whatever_the_seed() -> None:
    identity = {**PARTS, "augmentation": None, "value": None}
    assert cell_id(**{**identity, "seed": 7}) == cell_id(**identity)


def test_the_hash_does_not_depend_on_the_order_of_keys_or_the_process() -> None:
    record = {"b": [1, 2.5, None], "a": "é"}
    code = (
        "from lpa.outcomes import content_hash;"
        "print(content_hash({'a': '\\u00e9', 'b': [1, 2.5, None]}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == content_hash(record)
    assert len(content_hash(record)) == 32


def test_cells_survive_json() -> None:
    cells = [Cell("m", None, None, 0, "x"), Cell("m", "crop(place=centre)", 0.1, 3, "y")]
    assert CellColumns.load(json.loads(json.dumps(CellColumns.dump(cells)))) == cells
