"""Put a trained model's weights into its run (``--keep best|last``), and read them again."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from lpa.models.kept_weights import FOLDER, WeightsFacts, encode, read_facts, read_tensors
from lpa.outcomes.store import Store

__all__ = ["WeightsFacts", "put_weights", "read_weights", "weights_name"]


def weights_name(cell_id: str) -> str:
    """Return the store's name of a cell's weights."""
    return f"{FOLDER}/{cell_id}.safetensors"


def put_weights(store: Store, cell_id: str, module: nn.Module, facts: WeightsFacts) -> str:
    """Write a model's weights as one object of its run.

    Parameters
    ----------
    store : Store
        The run's folder.
    cell_id : str
        Of the cell that the model was evaluated as.
    module : nn.Module
        Whose ``state_dict()`` is kept, on any device.
    facts : WeightsFacts
        What loading the file needs.

    Returns
    -------
    str
        The object's name. The same weights and facts give the same bytes.
    """
    name = weights_name(cell_id)
    store.put(name, encode(module.state_dict(), facts))
    return name


def read_weights(path: str | Path) -> tuple[WeightsFacts, dict[str, Tensor]]:
    """Read a file of :func:`put_weights`.

    Returns
    -------
    WeightsFacts
    dict of str to Tensor
        The ``state_dict()``, on the CPU.

    Raises
    ------
    InputError
        For a file that is damaged or was not written by :func:`put_weights`.
    """
    return read_facts(Path(path)), read_tensors(Path(path))
