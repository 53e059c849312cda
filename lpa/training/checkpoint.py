"""The state of an unfinished training, kept in the run's folder.

torch reads a file with a flipped bit as if nothing were wrong, so a digest stands before it.
"""

from __future__ import annotations

import io
from typing import Any

import torch

from lpa.cache_files import digest
from lpa.outcomes import Store

__all__ = ["Checkpoint", "sealed"]

SEAL = 33
"""Bytes of the digest and of the line's end behind it."""


def sealed(data: bytes | memoryview) -> bytes:
    """Return the line that stands before bytes: their digest."""
    return digest(data).encode() + b"\n"


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
        data = memoryview(self.store.get(self.name))
        try:
            if data[:SEAL] != sealed(data[SEAL:]):
                raise ValueError("it is not what was written")
            file = io.BytesIO(data[SEAL:])
            state: dict[str, Any] = torch.load(file, map_location=self.device, weights_only=True)
        except (MemoryError, torch.OutOfMemoryError):
            raise  # It says nothing about the state.
        except Exception:  # one of another version fails in many ways
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
            self.store.put(self.name, sealed(data.getbuffer()) + data.getbuffer())

    def delete(self) -> None:
        """Remove the checkpoint: its group is finished."""
        if self.writes:
            self.store.delete(self.name)
