"""The one exception that users see, and how a wrong name is answered."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InputError", "Stopped", "one_line", "unknown"]


class InputError(Exception):
    r"""Input that cannot be used.

    The message is one line for the user: the value, what was expected, the way out. The command
    line prints it without a traceback and exits with status 1. Names in it may come from anywhere:
    a sign that would move the terminal's cursor or end the line is written as ``\x1b``.

    Parameters
    ----------
    message : str
        The line.

    Attributes
    ----------
    is_failure : bool
        False: nothing went wrong, there is only work left (:class:`Stopped`).
    """

    is_failure = True

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    r"""Return a text whose signs that are not printable are written out, as ``\x1b`` or ``\n``."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(sign: str) -> str:
    return sign if sign.isprintable() else repr(sign)[1:-1]


class Stopped(InputError):  # noqa: N818 - nothing is wrong
    """Work that ended early because it was told to; what is finished is stored."""

    is_failure = False


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> InputError:
    """Make the error for a name that is in no register.

    Parameters
    ----------
    kind : str
        What the name should have been, e.g. ``"augmentation"``.
    name : str
        What the user typed.
    known : iterable of str
        Every known name; the nearest three are suggested, or all where there are at most twelve.
    hint : str
        A way out that is appended, e.g. ``"lpa augmentations lists them"``.

    Returns
    -------
    InputError
        To be raised by the caller.
    """
    names = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    near = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, 3, 0.5)]
    if near:
        expected = "did you mean " + " or ".join(repr(candidate) for candidate in near) + "?"
    elif len(names) <= 12:
        expected = "known: " + ", ".join(names)
    else:
        expected = f"{len(names)} are known"
    tail = f" ({hint})" if hint else ""
    return InputError(f"unknown {kind} {name!r}: {expected}{tail}")
