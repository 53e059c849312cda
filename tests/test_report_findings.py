from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthetic import CROP, made_up_cells, made_up_samples, write_run

from lpa.outcomes import Outcomes
from lpa.report.curves import CurveTables
from lpa.report.findings import Finding, Findings, find
from lpa.report.looked_at import looked_at
from lpa.report.sources import Sources
from lpa.report.wording import pieces, points

GRID = (1.0, 0.6, 0.3)


def planted(path: Path, lost: int = 7, elsewhere: int = 2, per_class: int = 20) -> Path:
    """Class 0 loses images at crop .6 under the first model; at .3 every model loses everything."""
    samples = made_up_samples(4, per_class)
    cells = made_up_cells(("first", "second"), {CROP: GRID}, draws=1)
    prediction = np.tile(samples.label, (len(cells), 1))
    for row, cell in enumerate(cells):
        if cell.value == 0.3:
            prediction[row] = (samples.label + 1) % 4
        elif cell.value == 0.6 and cell.model == "first":
            prediction[row, :lost] = 1
            prediction[row, :elsewhere] = 2
    columns = {"prediction": prediction.astype(np.int32)}
    return write_run(path, samples=samples, models=("first", "second"), axes={CROP: GRID},
                     draws=1, columns=columns, pictures=False)  # fmt: skip


def found(*runs: Path) -> Findings:
    sources = Sources([Outcomes(run) for run in runs])
    curves = CurveTables(sources)
    looked = [
        {
            axis: look.value
            for axis, look in looked_at(run, curves.means[curves.means["run"] == at]).items()
        }
        for at, run in enumerate(sources.runs)
    ]
    return find(sources, looked, curves.classes)


def test_findings_are_read_where_the_average_still_looks_fine(tmp_path: Path) -> None:
    sources = Sources([Outcomes(planted(tmp_path / "run"))])
    # The mean of 4 classes and 2 models loses .35 / 8 at .6 and everything at .3.
    assert looked_at(sources.runs[0], CurveTables(sources).means) == {"crop": (0.6, True)}


def test_where_the_average_falls_at_once_the_weakest_value_is_read(tmp_path: Path) -> None:
    folder = planted(tmp_path / "run", lost=20)
    everywhere = Sources([Outcomes(folder)])
    means = CurveTables(everywhere).means
    only_first = means[means["model"] == "first"]
    assert looked_at(everywhere.runs[0], only_first) == {"crop": (0.6, False)}


def test_a_class_is_told_in_a_sentence_with_its_interval_and_where_its_flips_go(
    tmp_path: Path,
) -> None:
    findings = found(planted(tmp_path / "run"))
    (only,) = findings.listed
    # E2 by hand: 7 losses in 20 images, one pseudo-image at +1 and one at -1.
    center = 7 / 22
    error = np.sqrt(((7 + 2) / 22 - center**2) / 22)
    reach = stats.t.ppf(0.975, 19) * error
    assert (only.loss, only.low, only.high) == pytest.approx((0.35, center - reach, center + reach))
    assert only.change == (
        f"\u221235 points at crop 0.6 [\u2212{100 * (center + reach):.0f}, "
        f"\u2212{100 * (center - reach):.0f}]"
    )
    assert only.destination == "5 of 7 flips go to garden spider"
    # 8 tests: 4 classes under 2 models; exact McNemar of 7 losses without a gain.
    assert findings.tests == 8
    assert only.p_holm == pytest.approx(8 * 0.5**7)
    assert only.details == [
        "first", "100.0 → 65.0 % of 20 images", "interval of level image",
        "0 of 1 other model shown to lose here too", "not after Holm",
    ]  # fmt: skip
    assert (findings.shown, findings.candidates, findings.judged) == (1, 4, 4)


def test_each_class_stands_once_the_surest_loss_first(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", per_class=40, names=[f"n{k}" for k in range(30)],
                       titles=[f"class {k}" for k in range(30)])  # fmt: skip
    findings = found(folder)
    lows = [each.low for each in findings.listed]
    assert len(findings.listed) == min(10, findings.shown) > 1
    assert lows == sorted(lows, reverse=True) and lows[-1] > 0
    assert len({each.class_at for each in findings.listed}) == len(lows)


def test_small_classes_and_single_photographs_are_never_named(tmp_path: Path) -> None:
    few = found(planted(tmp_path / "few", lost=9, per_class=9))
    assert (few.listed, few.candidates) == ([], 0)
    one = found(planted(tmp_path / "one", lost=1, elsewhere=0, per_class=1))
    assert (one.listed, one.candidates) == ([], 0)


def test_a_sweep_with_one_run_at_the_reference_names_no_class(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", kind="sweep", draws=3, per_class=40, pictures=False)
    findings = found(folder)
    assert (findings.listed, findings.candidates, findings.judged) == ([], 4, 0)


def test_names_in_a_copied_finding_are_text() -> None:
    finding = Finding(
        run=0, model_at=0, axis_at=0, split_at=0, class_at=0, title="<b>*x*</b>",
        model="a_b", place="crop 0.3", value=0.3, reference_accuracy=0.9, accuracy=0.7, loss=0.2,
        low=0.1, high=0.3, level="image", n=50, target="[y](javascript:z)", to_target=1, flips=1,
        p_holm=float("nan"), others=0, of_others=0,
    )  # fmt: skip
    assert finding.markdown == (
        "- **&lt;b&gt;\\*x\\*&lt;/b&gt;**: \u221220 points at crop 0.3 [\u221230, \u221210]; "
        "its one flip goes to \\[y\\](javascript:z) (a\\_b, 90.0 → 70.0 % of 50 images, "
        "interval of level image)"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(-0.224, "\u221222"), (0.03, "+3"), (0.0, "0"), (-0.0004, "0"), (-0.004, "\u22120.4")],
)  # fmt: skip
def test_points_keep_their_sign_and_small_ones_a_decimal(number: float, text: str) -> None:
    assert points(number) == text


def test_long_names_break_after_their_signs_and_short_ones_not() -> None:
    assert pieces("cnn+label_distillation · run") == ["cnn+", "label_", "distillation · run"]
    assert pieces("distillation=run:teacher#0") == ["distillation=", "run:", "teacher#", "0"]
    assert pieces("mean(a,b)") == ["mean(a,b)"] and pieces("") == [""]
    assert pieces("Black-and-tan coonhound, of old") == ["Black-and-tan coonhound, of old"]
