"""Names of samples in files, and the samples they find."""

from __future__ import annotations

import pytest

from lpa.importing.sample_choice import find_samples

ENDS = "matched by the ends of their paths"


@pytest.mark.parametrize(
    ("names", "known", "expected", "how"),
    [
        (["b", "a"], ["a", "b"], [1, 0], ""),
        (["7.jpg"], ["cat/7.jpg", "cat/8.jpg"], [0], ENDS),
        (["/data/val/cat/7.jpg"], ["cat/7.jpg"], [0], ENDS),
        (["./cat/7.jpg", r"cat\8.jpg"], ["cat/7.jpg", "cat/8.jpg"], [0, 1], ENDS),
        # two samples of that name: none is meant
        (["7.jpg"], ["cat/7.jpg", "dog/7.jpg"], [-1], ENDS),
        # part of a name is not the end of a path
        (["t/7.jpg"], ["cat/7.jpg", "t/8.jpg", "x/7.jpg"], [-1], ENDS),
        # a flat folder against sorted folders: the file names say it
        (["val/7.jpg", "val/8.jpg"], ["n1/8.jpg", "n2/7.jpg"], [1, 0],
         "matched by file name alone"),
        (["cat/7.jpg", "cat/9.jpg"], ["dog/7.jpg"], [-1, -1], ""),
        (["2", "0"], ["a", "b", "c"], [2, 0], "matched by number in the name-sorted data set"),
        (["3", "0"], ["a", "b", "c"], [-1, -1], ""),
        (["10", "9"], ["9", "10"], [1, 0], ""),
    ],
)  # fmt: skip
def test_names_find_samples(
    names: list[str], known: list[str], expected: list[int], how: str
) -> None:
    found, said = find_samples(names, known)
    assert found.tolist() == expected
    if -1 not in expected:
        assert said == how


def test_two_names_never_find_one_sample() -> None:
    found, _ = find_samples(["a/7.jpg", "b/a/7.jpg", "8.jpg"], ["x/b/a/7.jpg", "y/8.jpg"])
    assert sorted(found.tolist()) == [-1, -1, 1]
