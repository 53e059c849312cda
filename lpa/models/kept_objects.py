"""Kept weights in an object store: what a file says about itself, without all of its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.models.kept_weights import KEY, WeightsFacts
from lpa.models.sealed_facts import check_tensors, opened

if TYPE_CHECKING:
    import torch

    from lpa.outcomes.store import Store

__all__ = ["object_facts", "object_tensors"]

LONGEST = 100_000_000
"""Bytes of a header, which is safetensors' own limit."""


def object_facts(store: Store, name: str) -> WeightsFacts:
    """Read the header of an object of weights: its length, and JSON with the tensors' places.

    Raises
    ------
    InputError
        For an object that is damaged or was not written by a training sweep.
    """
    try:
        with store.buffer(name) as file:
            size = file.size()
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(size - 8, LONGEST):
                raise ValueError("its header is cut off")
            header = read_json(file.read(length))
        text = header.pop("__metadata__")[KEY]
        if 8 + length + max(one["data_offsets"][1] for one in header.values()) != size:
            raise ValueError("it is cut off")
        return WeightsFacts.from_text(opened(text))
    except (
        OSError, OverflowError, ValueError, KeyError, TypeError, AttributeError, IndexError,
        InputError,
    ) as error:  # fmt: skip
        raise _damaged(store, name, error) from error


def object_tensors(store: Store, name: str) -> dict[str, torch.Tensor]:
    """Read the weights themselves.

    Raises
    ------
    InputError
        For a damaged object.
    """
    from safetensors.torch import load

    data = store.get(name)
    try:
        tensors = dict(load(data))
        header = read_json(data[8 : 8 + int.from_bytes(data[:8], "little")])
        check_tensors(header["__metadata__"][KEY], tensors)
        return tensors
    except Exception as error:
        raise _damaged(store, name, error) from error


def _damaged(store: Store, name: str, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [""])[0][:120]
    return InputError(
        f"weights '{store}/{name}' are damaged or were not kept by lpa train-sweep "
        f"({type(error).__name__}: {reason}); expected an unchanged file: copy it again, or delete "
        "it to leave this model out"
    )
