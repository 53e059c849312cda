from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from synthetic import CUTOUT, made_up_cells, made_up_samples, write_run
from test_report import unpacked_whole

from lpa.outcomes import Outcomes
from lpa.report.flips import NEVER, WRONG, flips
from lpa.report.sources import Sources

VALUES = (0.0, 0.2, 0.4, 0.6)


def test_a_picture_flips_at_the_weakest_value_from_which_on_its_label_stays_lost(
    tmp_path: Path,
) -> None:
    samples = made_up_samples(2, 4)
    # The first four images of class 0, at the four values: kept; lost for good; comes back; wrong.
    said = np.array([[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0]])
    cells = made_up_cells(("m",), {CUTOUT: VALUES}, draws=1)
    prediction = np.ones((len(cells), 8), np.int32)
    for row, cell in enumerate(cells):
        prediction[row, :4] = said[:, VALUES.index(cell.value or 0.0)]
    folder = write_run(tmp_path / "run", names=("a", "b"), titles=("a", "b"), samples=samples,
                       models=("m",), axes={CUTOUT: VALUES}, draws=1, pictures=False,
                       columns={"prediction": prediction})  # fmt: skip
    (found,) = flips(Sources([Outcomes(folder)]), [[3, 0, 1, 2]])
    assert unpacked_whole(found["at"]) == [WRONG, NEVER, 1, 3]
    assert unpacked_whole(found["said"]) == [1, 0, 1, 1]


def test_flips_of_many_draws_equal_a_slow_loop(tmp_path: Path) -> None:
    outcomes = Outcomes(write_run(tmp_path / "run", draws=3, pictures=False))
    long = outcomes.table()
    wanted = [5, 17, 2, 40]
    for record in flips(Sources([outcomes]), [wanted]):
        model, axis = ("first", "second")[record["model"]], ("crop", "cutout")[record["axis"]]
        mine = long[(long["model"] == model) & (long["axis"] == axis)]
        values = list(mine["value"].unique())
        for place, sample in enumerate(wanted):
            image = mine[mine["sample"] == sample]
            label = image["label"].iloc[0]
            right = []
            for value in values:
                votes = Counter(image[image["value"] == value]["prediction"])
                most = max(votes.values())
                right.append(min(p for p, count in votes.items() if count == most) == label)
            expected = NEVER
            while expected == NEVER and not right[-1]:
                expected = max([0, *(at + 1 for at, kept in enumerate(right) if kept)])
            if not right[0]:
                expected = WRONG
            assert unpacked_whole(record["at"])[place] == expected
