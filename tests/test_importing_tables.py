"""Reading columns, and naming the place of what is wrong."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lpa.errors import InputError
from lpa.importing.tables import Table, open_table


def csv_table(folder: Path, text: str | bytes) -> Table:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_table(str(path))


def told(table: Table, read: str, column: str) -> str:
    with pytest.raises(InputError) as error:
        getattr(table, read)(column)
    return str(error.value).replace(f"{Path(table.path).parent}/", "")


def test_texts_numbers_and_empty_cells_of_a_csv_file(tmp_path: Path) -> None:
    table = csv_table(tmp_path, "\ufeffname, x\n a ,1\n\n,\nb,-.5e1\na,nan\n")
    assert table.names == ["name", "x"]
    named = table.named("name")
    assert [named.texts[code] if code >= 0 else None for code in named.codes] == [
        "a", None, "b", "a",
    ]  # fmt: skip
    np.testing.assert_array_equal(table.numbers("x"), [1, np.nan, -5, np.nan])


def test_whole_numbers_lose_their_fraction_and_others_keep_it(tmp_path: Path) -> None:
    table = csv_table(tmp_path, "a,b\n3.0,1.5\n3,2.0\n")
    assert table.named("a").texts == ("3",)
    assert table.named("b").texts == ("1.5", "2.0")


def test_a_cell_that_is_no_number_is_named_by_its_line_in_an_editor(tmp_path: Path) -> None:
    table = csv_table(tmp_path, 'name,x\n"two\nlines",1\n\nb,0,5\n'.replace("0,5", '"0,5"'))
    assert told(table, "numbers", "x") == (
        "t.csv, line 5, column 'x': '0,5' is no number; expected e.g. 0.5"
    )


def test_a_line_with_another_number_of_cells_is_named(tmp_path: Path) -> None:
    table = csv_table(tmp_path, "a,b\n1,2\n3\n4,5\n")
    assert told(table, "named", "a") == (
        "t.csv, line 3: 1 cells, but line 1 names 2 columns; mend the line"
    )


def test_a_column_that_stands_twice_is_refused_only_where_it_is_needed(tmp_path: Path) -> None:
    table = csv_table(tmp_path, "a,a,b,,\n1,2,3,4,5\n")
    assert table.named("b").texts == ("3",)
    assert told(table, "named", "a") == ("t.csv, line 1: column 'a' stands twice; rename one")


def test_bytes_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    table = csv_table(tmp_path, b"a,b\nx,y\n\xff\xfe,z\n")
    assert told(table, "named", "a") == (
        "t.csv, line 3: bytes that are no UTF-8; save the file as UTF-8 text"
    )


def test_files_that_are_none_of_the_formats_are_refused(tmp_path: Path) -> None:
    broken = {"e.csv": b"", "e.parquet": b"PAR1", "e.npz": b"PK\x03\x04", "e.txt": b"a"}
    for name, data in broken.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError) as error:
            open_table(str(path))
        assert str(error.value).startswith(str(path))
    assert str(error.value) == (
        f"{path} ends in '.txt'; expected .csv, .parquet, .npz "
        "(timm: --results-format csv or parquet)"
    )


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("[  3 12   7]", ("3", "12", "7")),
        ("[3, 12, 7]", ("3", "12", "7")),
        ("['cat' \"dog's\"\n 'a, b']", ("cat", "dog's", "a, b")),
        (r"['it\'s' 'b']", ("it's", "b")),
    ],
)
def test_lists_in_brackets_are_split(tmp_path: Path, cell: str, parts: tuple[str, ...]) -> None:
    quoted = cell.replace('"', '""')
    table = csv_table(tmp_path, f'a\n"{quoted}"\n')
    assert table.is_list("a")
    named = table.named_lists("a")
    assert tuple(named.texts[code] for code in named.codes[0]) == parts


def test_lists_of_unequal_length_and_abbreviated_ones_are_refused(tmp_path: Path) -> None:
    table = csv_table(tmp_path, "a\n[1 2]\n[1 2 3]\n")
    assert told(table, "number_lists", "a") == (
        "t.csv, line 3, column 'a': '[1 2 3]' is not a list of 2 entries as in the rows before; "
        "expected equally long lists, e.g. [3 1 7] or ['cat' 'dog']"
    )
    table = csv_table(tmp_path, "a\n[1 ... 2]\n")
    assert "'[1 ... 2]' is not a list" in told(table, "number_lists", "a")
    table = csv_table(tmp_path, "a\n[1 2]\n[1 x]\n")
    assert told(table, "number_lists", "a") == (
        "t.csv, line 3, column 'a': the list holds no numbers only; expected e.g. [0.9 0.05]"
    )


def test_parquet_has_lists_dictionaries_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({
            "k": pa.array([[1, 2], [3, 1]]),
            "d": pa.array(["x", None]).dictionary_encode(),
            "i": pa.array([4, None], pa.int16()),
            "b": pa.array([b"\xff", b"a"]),
        }),
        path,
    )  # fmt: skip
    table = open_table(str(path))
    named = table.named_lists("k")
    assert [[named.texts[c] for c in row] for row in named.codes] == [["1", "2"], ["3", "1"]]
    assert table.named("d").codes.tolist() == [0, -1]
    assert table.named("i").texts == ("4",)
    np.testing.assert_array_equal(table.numbers("i"), [4, np.nan])
    assert told(table, "named", "k") == (
        "t.parquet, column 'k' holds lists; expected one value a row"
    )
    assert table.where(0, "k").endswith("t.parquet, row 1, column 'k'")


def test_arrays_are_read_and_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    path = tmp_path / "t.npz"
    np.savez(
        path, logits=np.eye(2, dtype=np.float32), names=np.array([b"a", b"b"]),
        trap=np.array([Trap(), Trap()], dtype=object), cube=np.zeros((1, 1, 1)),
    )  # fmt: skip
    table = open_table(str(path))
    assert table.named("names").texts == ("a", "b")
    np.testing.assert_array_equal(table.number_lists("logits"), np.eye(2))
    message = told(table, "named", "trap")
    assert message.startswith("t.npz, array 'trap' cannot be read (Object arrays cannot be loaded")
    assert not (tmp_path / "sprung").exists()
    assert told(table, "named", "cube") == ("t.npz, array 'cube' has 3 dimensions; expected 1 or 2")
    (tmp_path / "p.npz").write_bytes(pickle.dumps(1))
    with pytest.raises(InputError, match=r"p\.npz cannot be read as npz"):
        open_table(str(tmp_path / "p.npz"))


def lying(header: str) -> bytes:
    """An npz whose one array has 16 bytes, and a header that may say something else."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        archive.writestr("logits.npy", start + header.encode() + b"\0" * 16)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("kind", "shape", "reason"),
    [
        ("<U99999999", "(2,)", "its header claims the shape (2,), which it does not hold"),
        ("<f8", "(4611686018427387904,)",
         "its header claims the shape (4611686018427387904,), which it does not hold"),
        ("<U0", "(99999,)", "its header claims the shape (99999,), which it does not hold"),
        ("V8", "(2,)", "it holds |V8"),
        ("<c16", "(1,)", "it holds complex128"),
        ("|O", "(2,)", "Object arrays cannot be loaded when allow_pickle=False"),
    ],
)  # fmt: skip
def test_an_array_whose_header_lies_is_named_and_not_made(
    tmp_path: Path, kind: str, shape: str, reason: str
) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(lying(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n"))
    with pytest.raises(InputError) as caught:
        open_table(str(path)).values("logits")
    assert str(caught.value) == (
        f"{path}, array 'logits' cannot be read ({reason}); Python objects are never unpickled: "
        "save names as text, numpy.array(names, dtype=str)"
    )


def test_the_line_is_found_below_a_cell_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "x" * 200_000 + ",1\ny,no\n")
    with pytest.raises(InputError) as caught:
        open_table(str(path)).numbers("b")
    assert str(caught.value) == f"{path}, line 3, column 'b': 'no' is no number; expected e.g. 0.5"


def test_a_matrix_or_column_of_lists_without_rows_is_read_as_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", prediction=np.zeros((0, 4)))
    pq.write_table(
        pa.table({"prediction": pa.array([], pa.list_(pa.int64()))}), tmp_path / "x.parquet"
    )
    for name in ("x.npz", "x.parquet"):
        table = open_table(str(tmp_path / name))
        assert len(table.named_lists("prediction").codes) == 0
        assert len(table.number_lists("prediction")) == 0
