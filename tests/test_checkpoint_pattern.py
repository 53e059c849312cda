"""Files of ready checkpoints, found by a pattern of their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpa.errors import InputError
from lpa.models.checkpoint_pattern import find_checkpoints
from lpa.training.regularizers import parse_regularizer

CROP = parse_regularizer("random_crop").axis
DECAY = parse_regularizer("weight_decay").axis


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(pattern: str, axis: object = CROP) -> list[tuple[str, float, int, int]]:
    return [
        (str(each.path), each.value, each.seed, each.replicate)
        for each in find_checkpoints(pattern, axis)  # type: ignore[arg-type]
    ]


def refusal(pattern: str, axis: object = CROP) -> str:
    with pytest.raises(InputError) as caught:
        find_checkpoints(pattern, axis)  # type: ignore[arg-type]
    return str(caught.value)


def test_value_and_seed_are_read_from_weak_to_strong_and_seeds_are_numbered() -> None:
    touch(*(f"ckpt/rn50_tau{value}_seed{seed}.pth" for value in ("1", "0.08", ".3")
            for seed in (12, 7)), "ckpt/rn50_tau0.5.pth", "ckpt/log.txt")  # fmt: skip
    assert found("ckpt/rn50_tau{value}_seed{seed}.pth") == [
        ("ckpt/rn50_tau1_seed7.pth", 1.0, 7, 0),
        ("ckpt/rn50_tau1_seed12.pth", 1.0, 12, 1),
        ("ckpt/rn50_tau.3_seed7.pth", 0.3, 7, 0),
        ("ckpt/rn50_tau.3_seed12.pth", 0.3, 12, 1),
        ("ckpt/rn50_tau0.08_seed7.pth", 0.08, 7, 0),
        ("ckpt/rn50_tau0.08_seed12.pth", 0.08, 12, 1),
    ]


def test_per_cent_are_hundredths_without_rests_of_rounding() -> None:
    touch("c8.pt", "c29.pt", "c100.pt")
    assert found("c{percent}.pt") == [
        ("c100.pt", 1.0, 0, 0), ("c29.pt", 0.29, 0, 0), ("c8.pt", 0.08, 0, 0),
    ]  # fmt: skip


def test_exponents_and_growing_strengths_are_read() -> None:
    touch("wd1e-4.pt", "wd0.pt", "wd5e-05.pt")
    assert [value for _, value, _, _ in found("wd{value}.pt", DECAY)] == [0.0, 5e-5, 1e-4]


def test_fields_may_be_folders_and_stars_stand_for_the_rest_of_a_name() -> None:
    touch("a/0.5/run3/best-x1.pt", "a/1/run3/best-yy.pt", "a/1/run3/last.pt", "a/1/other/best-.pt")
    assert found("a/{value}/run{seed}/best*.pt") == [
        ("a/1/run3/best-yy.pt", 1.0, 3, 0), ("a/0.5/run3/best-x1.pt", 0.5, 3, 0),
    ]  # fmt: skip


def test_a_number_after_a_star_keeps_all_of_its_digits() -> None:
    touch("x_tau0.5_seed11.pt", "tau0.5_seed4.pt")
    assert found("*{value}_*{seed}.pt") == [
        ("tau0.5_seed4.pt", 0.5, 4, 0), ("x_tau0.5_seed11.pt", 0.5, 11, 1),
    ]  # fmt: skip


def test_a_field_that_stands_twice_must_be_the_same() -> None:
    touch("s1/m_1_0.5.pt", "s1/m_2_0.5.pt", "s2/m_2_0.5.pt")
    assert [path for path, *_ in found("s{seed}/m_{seed}_{value}.pt")] == [
        "s1/m_1_0.5.pt", "s2/m_2_0.5.pt",
    ]  # fmt: skip


def test_absolute_and_upward_paths_work_and_special_characters_mean_themselves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch("a+b (1)/t0.5.pt", "aab (1)/t0.3.pt")
    assert found(f"{folder}/a+b (1)/t{{value}}.pt")[0][1:] == (0.5, 0, 0)
    assert len(found(f"{folder}/a+b (1)/t{{value}}.pt")) == 1
    (folder / "here").mkdir()
    monkeypatch.chdir("here")
    assert found("../a+b (1)/t{value}.pt") == [("../a+b (1)/t0.5.pt", 0.5, 0, 0)]


def test_brackets_in_a_folders_name_mean_themselves() -> None:
    touch("runs[1]/t0.5.pt")
    assert found("runs[1]/t{value}.pt") == [("runs[1]/t0.5.pt", 0.5, 0, 0)]


@pytest.mark.parametrize(
    "pattern",
    ["ckpt.pth", "a{seed}.pth", "a{value}_{percent}.pth", "a{tau}.pth", "a{value}_{run}.pth"],
)
def test_a_pattern_needs_one_value(pattern: str) -> None:
    assert refusal(pattern) == (
        f"--from {pattern!r}: expected {{value}} (or {{percent}}) once, and {{seed}} where there "
        "are several, e.g. 'ckpt/rn50_tau{value}_seed{seed}.pth'"
    )


def test_a_pattern_that_matches_nothing_says_what_would() -> None:
    touch("ckpt/tau_x.pth")
    strongest = f"{CROP.grid[-1]:g}"
    assert refusal("ckpt/tau{value}_s{seed}.pth") == (
        "--from 'ckpt/tau{value}_s{seed}.pth' matches no file; expected checkpoints such as "
        f"ckpt/tau{strongest}_s0.pth: check the folder and the pattern"
    )


def test_two_files_of_one_value_and_seed_are_refused_with_both_names() -> None:
    touch("a/t0.5.pth", "b/t0.50.pth")
    assert refusal("*/t{value}.pth") == (
        "--from: a/t0.5.pth and b/t0.50.pth both have value 0.5 and seed 0; expected one each: "
        "put {seed} or the differing part into the pattern"
    )


def test_a_value_outside_the_axis_is_refused_and_per_cent_are_suspected() -> None:
    touch("t8.pth")
    unit = CROP.unit
    assert refusal("t{value}.pth") == (
        f"--from: t8.pth has value 8 of random_crop; expected {CROP.minimum:g} to 1 ({unit}); "
        "write {percent} for per cent"
    )
    touch("w-0.1.pth")
    assert refusal("w{value}.pth", DECAY).startswith(
        "--from: w-0.1.pth has value -0.1 of weight_decay; expected 0 to "
    )
