"""The state of an unfinished training, kept in the run's folder."""

from __future__ import annotations

import io
from typing import Any

import torch

from lpa.outcomes import Store

__all__ = ["Checkpoint"]


class Checkpoint:
    """One group's checkpoint: ``checkpoints/<group>.pt``, replaced atomically.

    Parameters
    ----------
    store : Store
        The run's folder.
    group : str
        Hash of the group's cells.
    device : torch.device
        Where tensors are loaded to.
    writes : bool
        False for the processes of a distributed training that only compute.
    """

    def __init__(self, store: Store, group: str, device: torch.device, writes: bool = True) -> None:
        self.store, self.device, self.writes = store, device, writes
        self.name = f"checkpoints/{group}.pt"

    def load(self) -> dict[str, Any] | None:
        """Return the state, or None where there is none or it is damaged (then all is trained).

        Only tensors and plain values are loaded, whatever the file holds.
        """
        if not self.store.exists(self.name):
            return None
        # Outside of what may fail: a store that does not answer says nothing about the state.
        data = io.BytesIO(self.store.get(self.name))
        try:
            state: dict[str, Any] = torch.load(data, map_location=self.device, weights_only=True)
        except Exception:  # a truncated file fails in many ways
            self.delete()
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint.

        Raises
        ------
        InputError
            When the store cannot be written.
        """
        if self.writes:
            data = io.BytesIO()
            torch.save(state, data)
            self.store.put(self.name, data.getvalue())

    def delete(self) -> None:
        """Remove the checkpoint: its group is finished."""
        if self.writes:
            self.store.delete(self.name)
