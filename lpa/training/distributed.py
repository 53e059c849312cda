"""One training on several processes (DistributedDataParallel), as ``torchrun`` starts them.

Every process draws the same batches and computes its share of the rows; gradients are averaged.
The first process alone writes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lpa.errors import InputError

__all__ = ["World"]


@dataclass(frozen=True)
class World:
    """The processes that share each training.

    Attributes
    ----------
    rank, size : int
        Number of this process from 0, and how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, kind: str) -> World:
        """Join the processes that ``torchrun`` started; alone where it did not."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not torch.distributed.is_initialized():
            if kind == "cuda":
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
        return cls(int(os.environ["RANK"]), size)

    def devices(self, all_devices: list[torch.device]) -> list[torch.device]:
        """Return this process's devices: all, or its own one of them."""
        if self.size == 1 or all_devices[0].type == "cpu":
            return all_devices
        return [torch.device("cuda", int(os.environ["LOCAL_RANK"]))]

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def wrapped(self, module: nn.Module) -> nn.Module:
        """Average the module's gradients over the processes."""
        if self.size == 1:
            return module
        return DistributedDataParallel(module)

    def check(self, batch_size: int) -> None:
        """Check that a batch can be shared evenly.

        Raises
        ------
        InputError
            When it cannot: the mean of the processes' losses would not be the batch's.
        """
        if batch_size % self.size:
            raise InputError(
                f"--batch-size {batch_size} cannot be shared by {self.size} processes; "
                f"expected a multiple of {self.size}"
            )

    def agreed(self, stop: bool) -> bool:
        """Whether any process wants to stop: all of them stop after the same update."""
        if self.size == 1:
            return stop
        flag = torch.tensor(int(stop), device=_exchange())
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag.item())

    def mean(self, values: Tensor) -> Tensor:
        """Average values over the processes, so that all judge a loss alike."""
        if self.size == 1:
            return values
        shared = values.to(_exchange(), copy=True)
        torch.distributed.all_reduce(shared)
        return (shared / self.size).to(values.device)

    def from_first(self, values: Tensor) -> Tensor:
        """Return the first process's values: batch normalisation's averages differ a little."""
        if self.size == 1:
            return values
        sent = values.to(_exchange(), torch.float64, copy=True)
        torch.distributed.broadcast(sent, 0)
        return sent.to(values.device, values.dtype)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            torch.distributed.barrier()


def _exchange() -> str:
    """Return the kind of device whose tensors the processes can exchange."""
    return "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
