"""Gates: what passes, what fails, and that a gate rarely fails without a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulations.policy import gate_fails
from statsmodels.stats.multitest import multipletests
from synthetic import CROP, made_up_samples, write_run

from lpa.errors import InputError
from lpa.outcomes import Outcomes
from lpa.statistics.budget import read_budget
from lpa.statistics.gate import COLUMNS, gate
from lpa.statistics.losses import losses
from lpa.statistics.means import mean_limit, mean_test
from lpa.statistics.threshold import loss_limits

NAMES = ["x", "y", "z"]


def run_with_losses(
    folder: Path, losses: list[tuple[int, int]], n: int = 60, models: tuple[str, ...] = ("m",),
    kind: str = "scan", draws: int = 1,
) -> Outcomes:  # fmt: skip
    """So many of n images of each class are lost at crop .6 and at crop .3."""
    rows = [np.zeros(len(losses), dtype=int), *np.array(losses).T]
    labels = np.repeat(np.arange(len(losses)), n)
    within = np.tile(np.arange(n), len(losses))
    cells = [np.where(within < lost[labels], -1, labels) for lost in rows]
    each = [cells[0], *(cell for cell in cells[1:] for _ in range(draws))]
    return Outcomes(write_run(
        folder, names=NAMES, titles=["fox", "owl", "elk"], models=list(models), draws=draws,
        axes={CROP: (1.0, 0.6, 0.3)}, samples=made_up_samples(len(losses), n), kind=kind,
        columns={"prediction": np.stack(each * len(models)).astype(np.int32)}, pictures=False,
    ))  # fmt: skip


def test_a_class_that_is_shown_to_lose_more_fails_and_is_named(tmp_path: Path) -> None:
    found = gate(run_with_losses(tmp_path / "run", [(0, 1), (3, 30), (0, 4)]))
    assert not found.passed and tuple(found.table.columns) == COLUMNS
    assert found.counts == {"fails": 1, "safe": 1, "undecided": 1, "undefined": 0}
    assert found.reasons == ["owl loses more than 10 points (m, crop=0.3)"]
    verdicts = found.classes.set_index("class")
    assert verdicts["verdict"].to_dict() == {"x": "safe", "y": "fails", "z": "undecided"}
    assert verdicts.loc["y", "values"] == (0.3,) and verdicts.loc["x", "values"] == ()


def test_p_values_are_e2_against_what_is_allowed_in_one_family(tmp_path: Path) -> None:
    losses = [(5, 9), (8, 14), (0, 20)]
    table = gate(run_with_losses(tmp_path / "run", losses)).table
    expected = [float(mean_test(lost[v], lost[v], 60, 0.1)) for v in (0, 1) for lost in losses]
    np.testing.assert_allclose(table["p"], expected)
    np.testing.assert_allclose(table["p_holm"], multipletests(expected, method="holm")[1])
    assert (table["m"] == 6).all()
    high = [float(mean_limit(lost[v], lost[v], 60, 0.95, "upper")) for v in (0, 1)
            for lost in losses]  # fmt: skip
    np.testing.assert_allclose(table["high"], high)
    fails = table["p_holm"] <= 0.05
    assert (table["state"][fails] == "fails").all() and 0 < fails.sum() < 6


def test_undecided_classes_pass_but_for_required_safety(tmp_path: Path) -> None:
    outcomes = run_with_losses(tmp_path / "run", [(0, 0), (4, 6), (0, 1)])
    assert gate(outcomes).passed and gate(outcomes).counts["undecided"] == 1
    strict = gate(outcomes, require="safe")
    assert not strict.passed and strict.reasons == [
        "1 of 3 classes are not shown to be safe (1 undecided, 0 undefined); "
        "0 have fewer images than safety takes (up to 23)"
    ]
    few = gate(run_with_losses(tmp_path / "few", [(0, 0)] * 3, n=12), require="safe")
    assert few.reasons == [
        "3 of 3 classes are not shown to be safe (3 undecided, 0 undefined); "
        "3 have fewer images than safety takes (up to 23)"
    ]
    assert gate(run_with_losses(tmp_path / "good", [(0, 0)] * 3), require="safe").passed


def test_only_what_is_asked_for_is_checked(tmp_path: Path) -> None:
    outcomes = run_with_losses(tmp_path / "run", [(0, 0), (0, 40), (0, 0)])
    weak = gate(outcomes, value=0.6, require="safe")
    assert weak.passed and (weak.table["m"] == 3).all()
    # A value by itself does not have to wait for weaker ones.
    only = gate(run_with_losses(tmp_path / "other", [(9, 0)] * 3), value=0.3, require="safe")
    assert only.passed
    for arguments, message in (
        ({"value": 0.5},
         "nothing can be checked at value 0.5; the values there are crop=0.6,0.3"),
        ({"value": 0.6, "axis": "cutout"}, "nothing can be checked"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            gate(outcomes, **arguments)
        assert str(caught.value) == message


def test_a_budget_allows_each_class_its_own_loss(tmp_path: Path) -> None:
    outcomes = run_with_losses(tmp_path / "run", [(0, 5), (0, 30), (0, 0)])
    assert not gate(outcomes).passed
    assert gate(outcomes, budget={"owl": 0.6}).passed
    tight = gate(outcomes, budget={"y": 0.6, "x": 0.01}, value=0.3)
    assert tight.table.set_index("class")["allowed"].to_dict() == {"x": 0.01, "y": 0.6, "z": 0.1}
    expected = float(mean_test(5, 5, 60, 0.01))
    assert tight.table.set_index("class").loc["x", "p"] == pytest.approx(expected)
    for budget, message in (
        ({"cat": 0.1}, "unknown class in the budget 'cat': known: x, y, z"),
        ({"x": 10.0}, "an allowed drop of 10 is out of range; expected a fraction between 0 and "
                      "1, such as 0.1 for 10 accuracy points"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            gate(outcomes, budget=budget)
        assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        gate(outcomes, require="perfect")
    assert str(caught.value) == "require 'perfect' is unknown; expected 'not hurt' or 'safe'"


def test_budgets_are_read_from_json_and_csv(tmp_path: Path) -> None:
    path = tmp_path / "budget"
    path.write_text('{"fox": 0.05, "owl": 0.2}')
    assert read_budget(path) == {"fox": 0.05, "owl": 0.2}
    path.write_text('class,max_drop\nfox,0.05\n"owl, barn",.2\n')
    assert read_budget(path) == {"fox": 0.05, "owl, barn": 0.2}
    path.write_bytes(b"\xef\xbb\xbfmax_drop,note,class\n.05,,fox\n")
    assert read_budget(path) == {"fox": 0.05}
    with pytest.raises(InputError, match="none cannot be read"):
        read_budget(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\nfox,0.05\n", "its first line is 'a,b'"),
        (b"class,drop\nfox,0.05\n", "its first line is 'class,drop'"),
        (b"a,b", "its first line is 'a,b'"),
        (b"", "it is empty"),
        (b"[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
        (b"[1]", "it is a list"),
        (b'{"fox": 0.05', "Expecting ',' delimiter: line 1 column 13 (char 12)"),
        (b'{"fox": [0.05]}', "class 'fox' has [0.05], which is no number"),
        (b'{"fox": NaN}', "NaN is no number of JSON"),
        (b"class,max_drop\nfox,much\n", "class 'fox' has 'much', which is no number"),
        (b"class,max_drop\nfox\n", "class 'fox' has None, which is no number"),
        (b"class,max_drop\nfox,.1\nfox,.2\n", "class 'fox' stands twice"),
        (b"class,max_drop\nf\xff,.1\n", "it is no text in UTF-8"),
    ],
)
def test_a_file_that_is_no_budget_is_refused_in_one_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "budget"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_budget(path)
    assert str(caught.value) == (
        f"{path} is no budget ({reason}); "
        'expected {"class": 0.05, ...}, or CSV lines "class,max_drop" with that first line'
    )


def test_against_an_older_run_the_same_images_are_compared(tmp_path: Path) -> None:
    old = run_with_losses(tmp_path / "old", [(0, 20), (0, 0), (0, 10)])
    new = run_with_losses(tmp_path / "new", [(0, 40), (0, 2), (0, 0)], models=("other",))
    found = gate(new, against=old)
    table = found.table[found.table["value"] == 0.3].set_index("class")
    assert table["loss"].to_dict() == pytest.approx({"x": 20 / 60, "y": 2 / 60, "z": -10 / 60})
    assert table.loc["x", "p"] == pytest.approx(float(mean_test(20, 20, 60, 0.1)))
    # The reference is checked, too: three values of three classes.
    assert (found.table["m"] == 9).all() and found.table["value"].iloc[0] == 1.0
    assert found.reasons == ["fox loses more than 10 points (other, crop=0.3)"]
    assert gate(old, against=new, value=0.6).passed


def test_against_a_run_of_other_models_or_images_is_refused(tmp_path: Path) -> None:
    old = run_with_losses(tmp_path / "old", [(0, 1)] * 3, models=("a", "b"))
    new = run_with_losses(tmp_path / "new", [(0, 1)] * 3, models=("c", "d"))
    with pytest.raises(InputError) as caught:
        gate(new, against=old)
    assert str(caught.value) == (
        f"the runs share no model: {tmp_path / 'new'} has c, d, {tmp_path / 'old'} has a, b"
    )
    fewer = run_with_losses(tmp_path / "fewer", [(0, 1)] * 3, n=40, models=("a", "z"))
    found = gate(fewer, against=old)
    assert found.table["model"].unique().tolist() == ["a"]
    assert found.table.attrs["notes"][-1] == f"z on crop: not in {tmp_path / 'old'}; not checked"
    assert "are in one of the runs only and are left out" in found.table.attrs["notes"][0]


def test_sweeps_are_gated_for_new_trainings_too(tmp_path: Path) -> None:
    outcomes = run_with_losses(tmp_path / "run", [(0, 30)] * 3, kind="sweep", draws=3)
    # One run at the reference: nothing can be said of another training, and nothing fails.
    found = gate(outcomes)
    assert found.passed and found.counts["undecided"] == 3
    assert gate(outcomes, level="image").counts["fails"] == 3


def test_limits_are_those_of_the_policy(tmp_path: Path) -> None:
    outcomes = run_with_losses(tmp_path / "run", [(2, 9), (0, 4), (1, 1)])
    each = next(iter(losses(outcomes, None, [])))
    low, high = loss_limits(each, 0.95, "image")
    table = gate(outcomes).table
    np.testing.assert_allclose(table["low"], low.reshape(-1))
    np.testing.assert_allclose(table["high"], high.reshape(-1))


def test_a_gate_rarely_fails_where_every_class_loses_just_what_is_allowed() -> None:
    generator = np.random.default_rng(0)
    failed = sum(gate_fails(generator, 50, 1) for _ in range(100))
    assert failed / 100 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
