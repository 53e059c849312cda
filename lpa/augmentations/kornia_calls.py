"""Reading ``kornia:Class(arguments)``: the arguments stay text and are never evaluated.

Torch-free, so that a plan can be read and shown without importing Kornia; whether Kornia has the
class and takes the arguments is found out when the augmentation is built.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
from typing import Any

from lpa.axes import format_value
from lpa.errors import InputError

__all__ = ["PREFIX", "arguments", "canonical_call", "kornia_version", "refuse_by_name"]

PREFIX = "kornia:"

# Measured with Kornia 0.9.0: drawn one sample at a time and drawn as a batch, these do not give
# the same pictures, so a sample's outcome would depend on the samples beside it.
_NOT_PER_SAMPLE = {
    "ColorJitter": "draws the order of its operations once per batch; use color_jitter",
    "ColorJiggle": "draws the order of its operations once per batch; use color_jitter",
    "RandomChannelDropout": "draws its channels once per batch; "
    "use kornia:RandomRGBShift or grayscale",
    "RandomRain": "draws the number of its drops once per batch; use kornia:RandomSnow",
    "RandomDissolving": "draws random numbers while it is applied; use blur",
}


@functools.cache
def kornia_version() -> str:
    """Return the installed version of Kornia without importing it."""
    return importlib.metadata.version("kornia")


def refuse_by_name(name: str) -> None:
    """Raise :class:`~lpa.errors.InputError` for a class that cannot be drawn sample by sample."""
    if name in _NOT_PER_SAMPLE:
        raise InputError(f"kornia:{name} cannot be scanned: it {_NOT_PER_SAMPLE[name]}")
    if "3D" in name or name.startswith("Video"):
        raise InputError(
            f"kornia:{name} cannot be scanned: it is for volumes or videos; "
            "use a 2-D class such as kornia:RandomGaussianBlur"
        )


def _is_placeholder(node: ast.AST) -> bool:
    """Whether a node is ``{alpha}``, which Python reads as a set of one name."""
    return (
        isinstance(node, ast.Set)
        and len(node.elts) == 1
        and isinstance(node.elts[0], ast.Name)
        and node.elts[0].id == "alpha"
    )


class _Filled(ast.NodeTransformer):
    """Puts a number in the place of every ``{alpha}``."""

    def __init__(self, alpha: float) -> None:
        # Whole numbers as such: Kornia takes no float as a number of bits or a kernel size.
        self.alpha = ast.literal_eval(format_value(alpha).removeprefix("-"))
        self.negative = alpha < 0

    def visit_Set(self, node: ast.Set) -> ast.AST:
        if not _is_placeholder(node):
            return node
        number = ast.Constant(self.alpha)
        return ast.UnaryOp(ast.USub(), number) if self.negative else number


def _call(text: str) -> ast.Call:
    """Parse ``Class(arguments)``."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        node = None
    if isinstance(node, ast.Name):
        node = ast.Call(node, [], [])
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise InputError(
            f"kornia:{text}: expected a class and its arguments, e.g. "
            "kornia:RandomGaussianBlur(kernel_size=(9,9),sigma=({alpha},{alpha}))@0,1,2,4"
        )
    return node


def _compact(node: ast.expr) -> str:
    """Write an argument without needless spaces; strings keep theirs."""
    if isinstance(node, ast.Tuple | ast.List):
        inner = ",".join(_compact(element) for element in node.elts)
        if isinstance(node, ast.List):
            return f"[{inner}]"
        return f"({inner},)" if len(node.elts) == 1 else f"({inner})"
    return ast.unparse(node)


def _literals(call: ast.Call, alpha: float) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and keyword arguments as Python values."""
    filled = _Filled(alpha)

    def literal(node: ast.expr) -> Any:
        written = _compact(node)
        try:
            # A fresh copy: the transformer rewrites what it visits.
            copy = ast.parse(written, mode="eval").body
            return ast.literal_eval(filled.visit(copy))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise InputError(
                f"kornia:{ast.unparse(call.func)}: argument {written} is no plain value; expected "
                "numbers, strings, True, False, None, tuples and {alpha}"
            ) from None

    if any(keyword.arg is None for keyword in call.keywords):
        raise InputError(
            f"kornia:{ast.unparse(call.func)}: ** is not read; write each argument out"
        )
    positional = [literal(node) for node in call.args]
    return positional, {str(keyword.arg): literal(keyword.value) for keyword in call.keywords}


def canonical_call(text: str) -> tuple[str, str]:
    """Return the class and the one spelling of its arguments, keywords sorted.

    Parameters
    ----------
    text : str
        ``RandomGaussianBlur(kernel_size=(9, 9), sigma=({alpha}, {alpha}))``.

    Raises
    ------
    InputError
        When the text is no call, an argument is no plain value, none of them holds ``{alpha}``,
        or the class is known not to be drawable sample by sample.
    """
    call = _call(text)
    name = ast.unparse(call.func)
    refuse_by_name(name)
    _literals(call, 1.0)
    if not any(_is_placeholder(node) for node in ast.walk(call)):
        raise InputError(
            f"kornia:{text}: no argument holds {{alpha}}; write it where the strength goes, "
            "e.g. kornia:RandomGaussianBlur(kernel_size=(9,9),sigma=({alpha},{alpha}))@0,1,2,4"
        )
    keywords = sorted(call.keywords, key=lambda keyword: str(keyword.arg))
    written = [_compact(node) for node in call.args]
    written += [f"{keyword.arg}={_compact(keyword.value)}" for keyword in keywords]
    return name, ",".join(written)


def arguments(name: str, written: str, alpha: float) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and keyword arguments of a call at one strength.

    Parameters
    ----------
    name : str
        Kornia's class, for messages.
    written : str
        The arguments as :func:`canonical_call` wrote them.
    alpha : float
        What stands for ``{alpha}``; whole numbers become int.
    """
    return _literals(_call(f"{name}({written})"), alpha)
