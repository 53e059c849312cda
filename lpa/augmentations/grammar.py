"""How values and options are typed: ``1,.5``, ``1:.08:20``, ``place=centre,aspect=4/3``.

One grammar for augmentations and for the regularizers of training sweeps. Without torch.
"""

from __future__ import annotations

from collections.abc import Mapping

from lpa.augmentations.register import Option
from lpa.axes import format_value
from lpa.errors import InputError, unknown

__all__ = ["range_or_number", "read_options", "read_values", "split"]


def split(text: str, marks: str, kind: str = "augmentations") -> list[str]:
    """Split at the marks that stand outside of brackets and quotes.

    Raises
    ------
    InputError
        For a bracket or quote that is not closed; ``kind`` says what the text is about.
    """
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character in marks and depth == 0:
            parts.append("")
            continue
        parts[-1] += character
    if depth or quote:
        raise InputError(f"{kind} {text!r}: a bracket or quote is not closed; close it")
    return [part.strip() for part in parts]


def _number(text: str) -> float | None:
    """Return the number that a text is, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def range_or_number(text: str) -> list[float] | None:
    """Return the values of ``.5`` or ``1:.08:20``; None when the text is neither."""
    if ":" not in text:
        number = _number(text)
        return None if number is None else [number]
    parts = text.split(":")
    if any(_number(part) is None for part in parts):
        return None
    if len(parts) != 3 or not parts[2].strip().isdigit() or int(parts[2]) < 2:
        raise InputError(
            f"range {text!r}: expected start:stop:count with a count of at least 2, e.g. 1:.08:20"
        )
    start, stop, count = float(parts[0]), float(parts[1]), int(parts[2])
    step = (stop - start) / (count - 1)
    inner = [start + step * index for index in range(1, count - 1)]
    # Twelve digits, as values are written: 0.9 and not 0.9000000000000001.
    return [start, *(float(format_value(value)) for value in inner), stop]


def read_values(name: str, text: str) -> list[float]:
    """Return the numbers of ``1,.5,.08`` or ``1:.08:20``, as they stand there.

    Raises
    ------
    InputError
        For a part that is neither a number nor a range; ``name`` says whose value it is.
    """
    numbers: list[float] = []
    for part in split(text, ","):
        read = range_or_number(part)
        if read is None:
            raise InputError(f"{name}: value {part!r} is no number; expected e.g. 1,.5 or 1:.08:20")
        numbers += read
    return numbers


def read_options(
    family: str, text: str, known: Mapping[str, Option], hint: str = ""
) -> dict[str, str]:
    """Read ``place=centre,aspect=4/3`` into canonical texts, sorted, defaults dropped.

    Parameters
    ----------
    family : str
        Whose options they are.
    text : str
        What stood between the brackets.
    known : mapping of str to Option
        The options that there are.
    hint : str
        A way out for an unknown option, e.g. ``"lpa augmentations lists them"``.

    Raises
    ------
    InputError
        For anything but known options with permitted values, each once.
    """
    options: dict[str, str] = {}
    for part in filter(None, split(text, ",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(f"{family}({text}): expected option=value, got {part!r}")
        if name not in known and not known:
            raise InputError(f"{family}({text}): {family} has no options; write {family}")
        if name not in known:
            raise unknown(f"option of {family}", name, known, hint)
        if name in options:
            raise InputError(f"{family}({text}): option {name} is given twice; give it once")
        options[name] = known[name].canonical(f"{family}: option {name}", value)
    return {name: options[name] for name in sorted(options) if options[name] != known[name].default}
