"""Digests of kept weights and of what they say about themselves: a flipped bit is noticed.

They stand in the same JSON as the facts; what was kept before there were any has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lpa.json_text import read_json
from lpa.outcomes import content_hash

if TYPE_CHECKING:
    import torch

__all__ = ["check_tensors", "opened", "sealed"]


def sealed(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Add the digests of tensors and of all else to facts."""
    record = {**json.loads(text), "tensors": _digest(tensors)}
    return json.dumps({**record, "digest": content_hash(record)}, sort_keys=True)


def opened(text: str) -> str:
    """Return the facts that :func:`sealed` was given; raise ValueError where they were changed."""
    record = read_json(text)
    if not isinstance(record, dict) or "digest" not in record:
        return text
    digest = record.pop("digest")
    if digest != content_hash(record):
        raise ValueError("what it says about itself was changed")
    record.pop("tensors")
    return json.dumps(record)


def check_tensors(text: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise ValueError where tensors are not those that were sealed with some facts."""
    record = read_json(text)
    if isinstance(record, dict) and record.get("tensors", "") not in ("", _digest(tensors)):
        raise ValueError("its weights were changed")


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    import torch

    found = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        found.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
