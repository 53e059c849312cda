"""Names that would be code where they are shown: in the page, CSV, tables, JUnit, the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lpa_cli.tables import print_table
from synthetic import CROP, made_up_samples, write_run

import lpa
from fuzz.mutations import SIGNS, hostile_texts
from fuzz.watch import CONTROL, FOLDER, cases, watched
from lpa.csv_cells import neutralised
from lpa.outcomes import Samples, Store, put_failure

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def run_of(names: Sequence[str], folder: Path) -> Path:
    """A run all of whose names are given: three classes, a model, an axis, data, files, a split."""
    shutil.rmtree(folder, ignore_errors=True)
    plain = made_up_samples(3, 12)
    samples = Samples(
        plain.sample, plain.key, tuple(f"{names[0]}{i}" for i in range(len(plain))), plain.label,
        np.full(len(plain), names[5] or "val"), plain.size,
    )  # fmt: skip
    axis = CROP.renamed(names[4] or "crop")
    write_run(
        folder, names=[f"{i}{name}" for i, name in enumerate(names[:3])], titles=names[:3],
        models=[names[3] or "m"], axes={axis: (1.0, 0.5)}, samples=samples, draws=1,
        skips={3: names[5]}, data=names[4],
    )  # fmt: skip
    put_failure(Store(folder), 0, names[3], names[5], ["none"])
    return folder


class Structure(HTMLParser):
    """The elements of a page and the names of their attributes; what scripts hold."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.data = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = dict(attributes).get("id") or "" if tag == "script" else ""
        if tag != "wbr":
            self.elements.append((tag, tuple(name for name, _ in attributes)))
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        if self._inside == "data":
            self.data += data


def structure(names: Sequence[str]) -> Structure:
    folder = run_of(names, FOLDER / "pages" / "run")
    with watched():
        page = lpa.open(folder).report()
    found = Structure()
    found.feed(page.read_text("utf-8"))
    return found


@cache
def plain() -> list[tuple[str, tuple[str, ...]]]:
    return structure(["cat", "dog", "eel", "model", "crop", "val"]).elements


six_names = st.lists(hostile_texts(), min_size=6, max_size=6)


@cases(3)
@given(six_names)
def test_a_page_has_the_same_elements_whatever_the_names(names: list[str]) -> None:
    page = structure(names)
    assert page.elements == plain()
    assert not [link for link in page.links if link.strip().lower().startswith("javascript")]
    json.loads(page.data)


def test_every_sign_in_every_name_leaves_the_elements_alone() -> None:
    for start in range(0, len(SIGNS) - 6, 6):
        names = list(SIGNS[start : start + 6])
        assert structure(names).elements == plain(), names


@cases(5)
@given(six_names, st.sampled_from(["out.csv", "out.parquet"]))
def test_no_cell_of_an_export_is_a_formula(names: list[str], file: str) -> None:
    folder = run_of(names, FOLDER / "pages" / "run")
    with watched():
        lpa.open(folder).export(FOLDER / file)
    if file.endswith(".parquet"):
        table = pd.read_parquet(FOLDER / file)
        assert set(table["class"]) == {f"{i}{name}" for i, name in enumerate(names[:3])}
        return
    with (FOLDER / file).open(newline="", encoding="utf-8") as text:
        rows = list(csv.reader(text))
    assert {len(row) for row in rows} == {11}
    texts = [row[column] for row in rows[1:] for column in (0, 1, 5)]
    assert not [cell for cell in texts if cell.startswith(FORMULA)]


@cases(16)
@given(st.lists(hostile_texts() | st.none(), min_size=1, max_size=6), hostile_texts())
def test_every_form_of_a_table_keeps_its_rows(cells: list[str | None], model: str) -> None:
    table = pd.DataFrame(
        {"class": cells, "title": cells[::-1], "model": model, "n": range(len(cells))}
    )
    found: dict[str, str] = {}
    for form in ("table", "csv", "json", "markdown", "latex"):
        with watched():
            found[form] = printed(table, form)
    assert [row["class"] for row in json.loads(found["json"])] == cells
    rows = list(csv.reader(io.StringIO(found["csv"], newline="")))
    assert len(rows) == len(cells) + 1
    assert not [cell for row in rows[1:] for cell in row[:3] if cell.startswith(FORMULA)]
    assert len(found["markdown"].split("\n")) == len(cells) + 3
    assert "<script" not in found["markdown"]
    assert len(found["latex"].split("\n")) == len(cells) + 8
    assert not CONTROL.search(found["table"].replace("\n", ""))


def printed(table: pd.DataFrame, form: str) -> str:
    import click

    @click.command()
    def command() -> None:
        print_table(table, form)

    result = CliRunner().invoke(command)
    if result.exception is not None:
        raise result.exception
    return result.stdout


@cases(120)
@given(st.lists(hostile_texts() | st.none() | st.floats(), max_size=5))
def test_neutralised_cells_are_no_formulas_and_lose_nothing(cells: list[Any]) -> None:
    made = neutralised(pd.DataFrame({"x": pd.Series(cells, dtype=object)}))["x"].tolist()
    for before, after in zip(cells, made, strict=True):
        if isinstance(before, str):
            assert not after.startswith(FORMULA) and after.removeprefix("'") == before.removeprefix(
                "'"
            )


@cases(1)
@given(six_names)
def test_commands_print_any_names_on_lines_of_their_own(names: list[str]) -> None:
    from lpa_cli import main

    folder = str(run_of(names, FOLDER / "pages" / "run"))
    for words in (["show", folder], ["rank", folder], ["curves", folder, "--mean"],
                  ["gate", folder, "--format", "junit"], ["gate", folder, "--format", "markdown"],
                  ["policy", folder], ["show", folder, "--format", "json"]):  # fmt: skip
        with watched():
            result = CliRunner().invoke(main, words)
        assert result.exception is None or isinstance(result.exception, SystemExit), words
        assert result.exit_code in (0, 1, 3), (words, result.output)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.output), words
        if "junit" in words and result.exit_code != 1:
            ET.fromstring(result.stdout)
