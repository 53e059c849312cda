"""Reading JSON that somebody else may have written: a value, or a ValueError that says why not."""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["read_json"]


def read_json(text: str | bytes) -> Any:
    """Read JSON as its standard has it.

    ``json.loads`` alone takes NaN and infinities, and raises RecursionError for what is nested too
    deep; half of a surrogate pair fails only later, where the text is written.

    Parameters
    ----------
    text : str or bytes
        Bytes are UTF-8.

    Raises
    ------
    ValueError
        For everything else.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        if (b"\\ud" if isinstance(text, bytes) else "\\ud") in text.lower():  # type: ignore[operator]
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a surrogate pair") from None
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
