"""Errors that mean that memory has ended, whoever raises them and wherever."""

from __future__ import annotations

import errno

__all__ = ["lack_of_memory"]

SAID = (
    "out of memory",
    "can't allocate memory",  # torch's CPU allocator
    "cannot allocate memory",  # the system
    "bad_alloc",
    "failed to map segment",  # a library that is being loaded
    "can't start new thread",
    "could not create a primitive",  # oneDNN
)


def lack_of_memory(error: BaseException) -> str | None:
    """Return in one line what an error says, if it or its cause is for want of memory, else None.

    Nothing is imported for it: there is no memory to do so.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = " ".join(str(seen).split())
        if (
            isinstance(seen, MemoryError)
            or getattr(seen, "errno", None) == errno.ENOMEM
            or any(said in text.lower() for said in SAID)
        ):
            return text[:200] or type(seen).__name__
        seen = seen.__cause__ or seen.__context__
    return None
