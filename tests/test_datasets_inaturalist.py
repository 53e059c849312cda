"""iNaturalist in both spellings of its folders, and the taxonomy that its names tell."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import INaturalist

from lpa.datasets import index_samples, open_data
from lpa.datasets.source import MissingSplit
from lpa.datasets.taxonomy import LEVELS, groups_csv, species, taxonomy
from lpa.errors import InputError

WORM = "00000_Animalia_Annelida_Clitellata_Haplotaxida_Lumbricidae_Lumbricus_terrestris"
SNAIL = "00001_Animalia_Mollusca_Gastropoda_Stylommatophora_Helicidae_Cornu_aspersum"
WHEATEAR = "00002_Animalia_Chordata_Aves_Passeriformes_Muscicapidae_Oenanthe_oenanthe"
DROPWORT = "00003_Plantae_Tracheophyta_Magnoliopsida_Apiales_Apiaceae_Oenanthe_crocata"
CLASSES = (WORM, SNAIL, WHEATEAR, DROPWORT)
COUNTS = {"train": 3, "train_mini": 2, "val": 1}
TORCHVISION = {"train": "2021_train", "train_mini": "2021_train_mini", "val": "2021_valid"}


def write(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), level, np.uint8)).save(path)


def tree(root: Path, folders: dict[str, str]) -> Path:
    """Write the 2021 layout: split -> its folder's name."""
    for depth, (split, folder) in enumerate(folders.items()):
        for label, name in enumerate(CLASSES):
            for number in range(COUNTS[split]):
                write(root / folder / name / f"{number:08x}.jpg", 60 * depth + 10 * label + number)
    return root


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return tree(tmp_path / "torchvision", TORCHVISION)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return tree(tmp_path / "archives", {split: split for split in COUNTS})


def message(spec: object, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_data(spec, split)
    return str(caught.value)


@pytest.mark.parametrize("split", COUNTS)
def test_torchvision_lists_the_same_images_with_the_same_labels(theirs: Path, split: str) -> None:
    expected = INaturalist(str(theirs), version=TORCHVISION[split])
    source = open_data(f"inat={theirs}", split)
    assert list(source.classes.names) == expected.all_categories
    assert sorted(zip(source.names, source.labels.tolist(), strict=True)) == sorted(
        (f"{expected.all_categories[label]}/{file}", label) for label, file in expected.index
    )
    assert source.classes.labels == (
        "Lumbricus terrestris", "Cornu aspersum", "Oenanthe oenanthe", "Oenanthe crocata",
    )  # fmt: skip


@pytest.mark.parametrize("split", ["train", "train_mini", "val", "train_mini,val"])
def test_both_spellings_are_one_data_set(theirs: Path, plain: Path, split: str) -> None:
    prints = set()
    for spec in (f"inat={theirs}", f"inat2021={plain}", theirs, str(plain)):
        source = open_data(spec, split)
        samples = index_samples(source, np.arange(len(source)), np.arange(4))
        prints.add((samples.fingerprint, source.classes))
    assert len(prints) == 1


def test_the_validation_split_is_the_default_and_torchvisions_words_are_known(
    theirs: Path,
) -> None:
    assert set(open_data(theirs).splits) == {"val"}
    assert open_data(theirs, "2021_valid").names == open_data(theirs, "valid").names
    assert len(open_data(theirs, "2021_train_mini")) == 8


def test_the_folder_of_one_split_is_that_split(theirs: Path, plain: Path) -> None:
    for folder in (theirs / "2021_valid", plain / "val"):
        source = open_data(f"inat={folder}")
        assert set(source.splits) == {"val"}
        assert source.classes.names == CLASSES


def test_a_missing_split_is_told_with_those_there_are(tmp_path: Path) -> None:
    root = tree(tmp_path / "i", {"train_mini": "2021_train_mini", "val": "2021_valid"})
    with pytest.raises(MissingSplit) as caught:
        open_data(f"inat={root}", "train")
    assert str(caught.value) == "inat2021 has no split 'train'; it has: train_mini, val"
    assert caught.value.present == ("train_mini", "val")


def test_without_a_path_or_with_a_wrong_one_the_way_out_is_told(tmp_path: Path) -> None:
    assert message("inat") == (
        "inat2021 needs the folder that holds it; write inat2021=PATH (torchvision.datasets."
        "INaturalist downloads it, one version and split at a time)"
    )
    write(tmp_path / "2018" / "Aves" / "3" / "a.jpg", 0)
    assert message(f"inat={tmp_path}") == (
        f"inat2021 is not in {tmp_path}; it holds inat2018; expected 2021_train, 2021_train_mini, "
        "2021_valid (torchvision) or train, train_mini, val with folders such as "
        "00000_Animalia_..._Lumbricus_terrestris"
    )
    assert message(f"inat2019={tmp_path}") == (
        f"inat2019 is not in {tmp_path}; it holds inat2018; expected 2019 or train_val2019 with a "
        "folder per supercategory"
    )


def test_a_folder_of_two_versions_must_be_told_which(theirs: Path) -> None:
    write(theirs / "train_val2018" / "Aves" / "3" / "a.jpg", 0)
    assert message(theirs) == (
        f"{theirs} holds iNaturalist 2021, 2018; expected one: give inat2021={theirs} or "
        f"inat2018={theirs}"
    )
    assert open_data(f"inat2018={theirs}").classes.names == ("Aves/3",)


@pytest.mark.parametrize("folder", ["2018", "train_val2018"])
def test_2018_has_the_classes_that_torchvision_has(tmp_path: Path, folder: str) -> None:
    for number, name in enumerate(["Aves/1", "Aves/2", "Plantae/0"]):
        write(tmp_path / folder / name / f"{number}.jpg", number)
    source = open_data(f"inat2018={tmp_path}")
    assert len(source) == 3
    assert source.classes.names == source.classes.labels == ("Aves/1", "Aves/2", "Plantae/0")
    assert set(source.splits) == {"all"}
    (tmp_path / folder).rename(tmp_path / "2018")
    expected = INaturalist(str(tmp_path), version="2018")
    assert sorted(source.classes.names) == sorted(expected.all_categories)
    assert {name: source.classes.names[label] for name, label in zip(
        source.names, source.labels, strict=True)
    } == {
        f"{expected.all_categories[label]}/{file}": expected.all_categories[label]
        for label, file in expected.index
    }  # fmt: skip


def test_years_may_be_anyones_classes(tmp_path: Path) -> None:
    for year in ("2017", "2018"):
        write(tmp_path / year / "May" / "1" / "a.png", 0)
    assert open_data(tmp_path).classes.names == ("2017", "2018")


def test_2017_is_read_by_species(tmp_path: Path) -> None:
    write(tmp_path / "train_val_images" / "Aves" / "Corvus corax" / "a.jpg", 0)
    source = open_data(tmp_path)
    assert source.classes.names == ("Aves/Corvus corax",)
    assert source.classes.labels == ("Corvus corax",)


def test_annotations_beside_the_older_versions_divide_them(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "train_val2019" / "Birds" / str(number % 2) / f"{number}.jpg", number)
    for split, numbers in (("train", (0, 1, 3)), ("val", (2,))):
        images = [{"file_name": f"train_val2019/Birds/{n % 2}/{n}.jpg"} for n in numbers]
        (tmp_path / f"{split}2019.json").write_text(json.dumps({"images": images}))
    assert open_data(tmp_path).names == ["Birds/0/2.jpg"]
    assert open_data(tmp_path, "train").names == ["Birds/0/0.jpg", "Birds/1/1.jpg", "Birds/1/3.jpg"]
    broken = tmp_path / "val2019.json"
    broken.write_text("[]")
    assert message(tmp_path) == (
        f"{broken} cannot be read as iNaturalist's annotations (TypeError); expected the "
        "competition's JSON with images: fetch it again, or move it away"
    )


def test_the_taxonomy_is_torchvisions_but_for_names_at_two_places(theirs: Path) -> None:
    found = taxonomy(CLASSES)
    assert list(found) == ["supercategory", *LEVELS]
    expected = INaturalist(str(theirs), version="2021_valid")
    for level in LEVELS[:-1]:
        assert found[level] == {
            name: expected.category_name(level, expected.categories_map[index][level])
            for index, name in enumerate(CLASSES)
        }
    assert found["genus"] == {
        WORM: "Lumbricus",
        SNAIL: "Cornu",
        WHEATEAR: "Oenanthe (Animalia, Chordata, Aves, Passeriformes, Muscicapidae)",
        DROPWORT: "Oenanthe (Plantae, Tracheophyta, Magnoliopsida, Apiales, Apiaceae)",
    }
    assert list(found["supercategory"].values()) == ["Animalia", "Mollusks", "Birds", "Plants"]


def test_other_names_have_no_taxonomy_and_older_ones_a_supercategory() -> None:
    assert taxonomy(["cat", "dog"]) == taxonomy([*CLASSES, "cat"]) == taxonomy([]) == {}
    assert taxonomy(["Aves/3", "Plantae/Alga"]) == {
        "supercategory": {"Aves/3": "Aves", "Plantae/Alga": "Plantae"}
    }
    assert [species(name) for name in ("Aves/3", "Aves/Corvus corax", "cat")] == [
        "Aves/3", "Corvus corax", "cat",
    ]  # fmt: skip


def test_a_level_is_a_file_of_groups(tmp_path: Path) -> None:
    from lpa.runs.choices import group_files

    written = groups_csv(taxonomy(CLASSES)["genus"])
    assert list(csv.DictReader(io.StringIO(written.decode())))[1] == {
        "class": SNAIL, "group": "Cornu",
    }  # fmt: skip
    (tmp_path / "genus.csv").write_bytes(written)
    assert group_files(tmp_path / "genus.csv")["Lumbricus"] == [WORM]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"images": 3}', "NaN", '{"images": [null]}'])
def test_annotations_of_another_kind_are_named(tmp_path: Path, text: str) -> None:
    place = tmp_path / "train_val2018" / "Aves" / "1"
    place.mkdir(parents=True)
    (place / "a.jpg").write_bytes(b"x")
    for part in ("train", "val"):
        (tmp_path / f"{part}2018.json").write_text(text)
    with pytest.raises(InputError, match="cannot be read as iNaturalist's annotations"):
        open_data(f"inat2018={tmp_path}")
