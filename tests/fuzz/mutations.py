"""How valid bytes are made hostile: cut, flipped, spliced, repeated, with lying numbers."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["EXTREME", "hostile_texts", "json_values", "mutated"]

EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)
"""Numbers at the ends of their types, which headers are made to lie with."""


@st.composite
def mutated(draw: st.DrawFn, valid: Sequence[bytes], most: int = 4) -> bytes:
    """One of some valid files after a few mutations."""
    data = draw(st.sampled_from(list(valid)))
    for _ in range(draw(st.integers(1, most))):
        data = _once(draw, data, valid)
    return data


def _once(draw: st.DrawFn, data: bytes, valid: Sequence[bytes]) -> bytes:
    kind = draw(st.sampled_from(["flip", "cut", "drop", "insert", "number", "splice", "repeat"]))
    # Heads and tails decide what a reader believes, so half of the places lie there.
    end = len(data)
    near = draw(st.sampled_from(["anywhere", "head", "tail"]))
    first, last = {
        "anywhere": (0, end),
        "head": (0, min(end, 64)),
        "tail": (max(0, end - 64), end),
    }[near]
    place = draw(st.integers(first, last))
    if kind == "flip" and place < end:
        return (
            data[:place] + bytes([data[place] ^ (1 << draw(st.integers(0, 7)))]) + data[place + 1 :]
        )
    if kind == "cut":
        return data[:place]
    length = draw(st.integers(1, 64))
    if kind == "drop":
        return data[:place] + data[place + length :]
    if kind == "insert":
        return data[:place] + draw(st.binary(min_size=1, max_size=16)) + data[place:]
    if kind == "number":
        size, letter = draw(st.sampled_from([(1, "B"), (2, "H"), (4, "I"), (8, "Q")]))
        order = draw(st.sampled_from("<>"))
        value = draw(st.sampled_from(EXTREME)) % (1 << (8 * size))
        return data[:place] + struct.pack(order + letter, value) + data[place + size :]
    if kind == "splice":
        other = draw(st.sampled_from(list(valid)))
        start = draw(st.integers(0, len(other)))
        return data[:place] + other[start:]
    return data[:place] + data[place : place + length] * 3 + data[place + length :]


SIGNS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "=cmd|'/c calc'!A1",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "javascript:alert(1)",
    "\u2028",
    "\u202eabc",
    "\x00",
    "\x1b[2J",
    "a\nb",
    "'",
    '"',
    "&lt;",
    "{{7*7}}",
    "{%raw%}",
    "..",
    "../../x",
    "/etc/passwd",
    "C:\\x",
    "",
    " ",
    "NaN",
    "nan",
    "inf",
    "None",
    "-1",
    "1e999",
    "9" * 400,
    "é",
    "\ufeff",
    "\U0001f4a9",
    "x" * 10_000,
    "[1 2]",
    "['a' 'b']",
    "%s%n",
    "~",
    "~root",
    "*",
    "?",
    "[",
    "a,b",
    "a;b",
    "a|b",
)


def hostile_texts(surrogates: bool = False) -> st.SearchStrategy[str]:
    """Texts that mean something to some reader, and any others."""
    plain = st.text(max_size=12)
    if surrogates:
        plain |= st.text(st.characters(categories=["Cs", "Ll"]), max_size=4)
    return st.sampled_from(SIGNS) | plain


def json_values(deep: bool = True) -> st.SearchStrategy[object]:
    """Any value that JSON can say, and some that only Python's reader takes."""
    numbers = (
        st.integers() | st.floats() | st.sampled_from([10**18, 10**25, 10**400, -(2**63), 2**64])
    )
    leaves = st.none() | st.booleans() | numbers | hostile_texts(surrogates=True)
    grown = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(hostile_texts(), inner, max_size=3)
        ),
        max_leaves=6,
    )
    return grown | st.sampled_from(["[" * 100_000, '{"a":' * 100_000]).map(Raw) if deep else grown


class Raw(str):
    """Text that stands in JSON as it is."""
