"""Data sets of the Hugging Face hub by name, through ``datasets``.

Only the files of the splits that are asked for are fetched (ImageNet's training set is twenty
times its validation set). Images are kept encoded and decoded as everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lpa.datasets.hub_columns import find_columns, hub_classes, hub_name, labelled
from lpa.datasets.source import Entry, Source, assemble, choose_splits
from lpa.errors import InputError
from lpa.user_paths import exists

__all__ = ["HubReader", "open_hub"]

PATIENCE = 5.0
"""Seconds until the hub counts as unreachable. ``datasets`` itself tries for half a minute."""


def open_hub(repository: str, split: str | None) -> Source:
    """Open a data set of the hub.

    Parameters
    ----------
    repository : str
        ``owner/name``, or ``owner/name:configuration``; a local folder that ``datasets`` can
        load works too.
    split : str or None
        See :func:`lpa.datasets.source.choose_splits`.

    Raises
    ------
    InputError
        Where the hub cannot be reached, or the data set is not there, is gated, or has no
        images or labels.
    """
    name, configuration = _parsed(repository)
    if exists(Path(name)) or _reachable():
        return _open_online(name, configuration, split)
    return _open_cached(name, configuration, split)


def _parsed(repository: str) -> tuple[str, str | None]:
    found = re.fullmatch(r"(?P<name>..+):(?P<configuration>[^:/\\]+)", repository)
    return (found["name"], found["configuration"]) if found else (repository, None)


def _reachable() -> bool:
    """Ask the hub once; ``HF_HUB_OFFLINE`` answers without asking."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        status = get_session().head(constants.ENDPOINT, timeout=PATIENCE).status_code
    except Exception:
        # requests' and httpx's errors have no ancestor in common, and which of the two it is
        # depends on the version; none of them is anything but "no answer".
        return False
    # A proxy that lets nobody through answers in the hub's place.
    return status < 500 and status not in (403, 407)


def _open_online(name: str, configuration: str | None, split: str | None) -> Source:
    import datasets

    with _explained(name):
        builder = datasets.load_dataset_builder(name, configuration)
        files = builder.config.data_files or {}
        present = [str(part) for part in builder.info.splits or files]
        loaded = {}
        for part in choose_splits(present, split, name):
            if part in files:
                loaded[part] = datasets.load_dataset(
                    name,
                    data_files={part: list(files[part])},
                    features=builder.info.features,
                    split=part,
                    # The record of the whole data set does not fit some of its splits.
                    verification_mode="no_checks",
                )
            else:
                loaded[part] = datasets.load_dataset(name, configuration, split=part)
    return _source(name, loaded)


def _open_cached(name: str, configuration: str | None, split: str | None) -> Source:
    """Open what an earlier ``datasets.load_dataset`` left on the disk."""
    import datasets

    try:
        with _offline():
            found = datasets.load_dataset(name, configuration)
    except Exception as error:
        from huggingface_hub import constants

        raise InputError(
            f"hub data set {name!r} cannot be had: {constants.ENDPOINT} does not answer and the "
            "cache of datasets does not hold it; fetch it where there is a network (hf download "
            f"{name} --repo-type dataset) and give the folder, or use --data imagenet-sample"
        ) from error
    chosen = choose_splits([str(part) for part in found], split, name)
    return _source(name, {part: found[part] for part in chosen})


@contextmanager
def _offline() -> Iterator[None]:
    """Have ``datasets`` look at its cache at once instead of asking the network five times."""
    import datasets
    from huggingface_hub import constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what ``datasets`` raises into one line with the ways out."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"hub data set {name!r} is not there or not open to you; look at "
            f"https://huggingface.co/datasets/{name}, accept its terms where it is gated, and run "
            "hf auth login"
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"hub data set {name!r} cannot be loaded ({type(error).__name__}: {reason}); fetch its "
            f"files (hf download {name} --repo-type dataset) and give the folder, or name a "
            f"configuration (hub:{name}:CONFIGURATION)"
        ) from error


def _source(name: str, loaded: dict[str, Any]) -> Source:
    """Make a source of ``datasets.Dataset`` objects by split."""
    import datasets

    first = next(iter(loaded.values()))
    columns = find_columns(first.features.to_dict(), first.column_names, name)
    encoded = {
        part: table.select_columns([columns.image]).cast_column(
            columns.image, datasets.Image(decode=False)
        )
        for part, table in loaded.items()
    }
    values = [value for table in loaded.values() for value in table[columns.label]]
    classes, labels = hub_classes(columns.names, values, name)
    labelled(labels, name)
    entries, position = [], 0
    for part, table in encoded.items():
        for row, path in enumerate(_paths(table, columns.image)):
            if labels[position] >= 0:
                entries.append(Entry(hub_name(row, path), int(labels[position]), part, (part, row)))
            position += 1
    return assemble(
        name, classes, entries, f"hub:{name}", lambda rows: HubReader(encoded, columns.image, rows)
    )


def _paths(table: Any, column: str) -> Iterator[str | None]:
    """Yield each row's file name without touching the bytes beside it."""
    import pyarrow.compute as pc

    for chunk in table.data.column(column).chunks:
        yield from pc.struct_field(chunk, "path").to_pylist()


@dataclass(frozen=True)
class HubReader:
    """Reads the encoded bytes of one row.

    Attributes
    ----------
    tables : dict of str to datasets.Dataset
        By split, memory-mapped.
    column : str
        The image column, not decoded.
    rows : list of (str, int)
        Split and row of each image.
    """

    tables: dict[str, Any]
    column: str
    rows: list[tuple[str, int]]

    def __call__(self, index: int) -> bytes:
        """Return the bytes of the image at an index; empty where the row holds none."""
        part, row = self.rows[index]
        cell = self.tables[part][row][self.column]
        return cell["bytes"] or (Path(cell["path"]).read_bytes() if cell["path"] else b"")
