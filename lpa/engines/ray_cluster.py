"""Connecting to a Ray cluster, or starting one, without noise and without Ray's signal handlers."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lpa.errors import InputError

__all__ = ["Node", "connect", "disconnect", "nodes"]

SECONDS = 10.0
"""In which the head of a cluster has to answer."""


@dataclass
class Node:
    """A machine of the cluster.

    Attributes
    ----------
    id : str
    name : str
        Host and address, for messages.
    cpus, gpus : float
        Which Ray shares out there.
    deaths : int
        Workers that died there before they were made.
    refused : str
        Why it is given no work any more; empty where it is.
    """

    id: str
    name: str
    cpus: float
    gpus: float
    deaths: int = 0
    refused: str = field(default="")


def connect(address: str | None) -> bool:
    """Connect to a cluster; return whether it is to be left at the end.

    Parameters
    ----------
    address : str or None
        ``auto``, ``ray://HOST:PORT`` or ``HOST:PORT``; None: a cluster of this machine alone is
        started. A connection that the process already has is used, and left alone.

    Raises
    ------
    InputError
        Where Ray is not installed, and for a cluster that does not answer or is of another version.
    """
    # No line about usage statistics, and none are sent, for a cluster that is started here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise InputError("--engine ray needs Ray: pip install 'lpa[ray]'") from error
    if ray.is_initialized():
        return False
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        options |= {"address": "local", "include_dashboard": False}
    else:
        _check_reachable(address)
        options["address"] = address
    with _own_signals(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ray.init(**options)
        except (Exception, SystemExit) as error:
            raise _explained(address, error) from error
    _silence()
    return True


def _silence() -> None:
    """Keep what Ray's machines report from standard output, where results go.

    It prints every worker that dies, whatever it is told about logs; the engine says it in a line.
    """
    import ray

    module: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if module is not None and hasattr(module, "print_to_stdstream"):
        module.print_to_stdstream = lambda *_, **__: None


def disconnect() -> None:
    """Leave the cluster; one that was started here ends."""
    import ray

    with _own_signals():
        ray.shutdown()


def nodes() -> list[Node]:
    """Return the machines that are alive."""
    import ray

    return [
        Node(
            entry["NodeID"],
            f"{entry['NodeManagerHostname']} ({entry['NodeManagerAddress']})",
            float(entry["Resources"].get("CPU", 0)),
            float(entry["Resources"].get("GPU", 0)),
        )
        for entry in ray.nodes()
        if entry["Alive"]
    ]


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's handlers: Ray's would end it at SIGTERM, and abort it seconds later."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in kept}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _check_reachable(address: str) -> None:
    """Refuse an address at which nothing listens: Ray would ask for two minutes, and write.

    Raises
    ------
    InputError
        With the address.
    """
    if address == "auto":
        return
    protocol, _, rest = address.rpartition("://")
    host, _, port = rest.rpartition(":")
    if protocol == "ray" and not host:
        host, port = rest, "10001"
    host = host.strip("[]")
    if protocol not in ("", "ray") or not host or not port.isdigit():
        raise InputError(
            f"--address {address} is no address of a Ray cluster; expected auto, "
            "ray://HOST:10001 or HOST:6379"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=SECONDS):
            pass
        _check_talks(f"{host}:{port}")
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--address {address} does not answer ({_reason(error)}); expected the head of a "
            "running Ray cluster (ray start --head prints its address), or no --address to start "
            "one here"
        ) from error


def _check_talks(target: str) -> None:
    """Raise OSError where something else than Ray listens, as far as grpc can tell."""
    try:
        import grpc
    except ImportError:
        return
    with grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=SECONDS)
        except grpc.FutureTimeoutError as error:
            raise OSError("what listens there does not speak as Ray does") from error


def _explained(address: str | None, error: BaseException) -> InputError:
    """Turn what Ray says into one line."""
    told = _reason(error)
    if "ersion mismatch" in str(error):
        whole = " ".join(str(error).split())
        return InputError(
            f"--address {address}: {whole[:300]}; expected the cluster's versions of Ray and "
            "Python here: install them"
        )
    if address == "auto" and isinstance(error, ConnectionError):
        return InputError(
            "--address auto: no Ray cluster runs on this machine; expected one (ray start), or no "
            "--address to start one for the run"
        )
    if address is None:
        return InputError(
            f"Ray cannot start on this machine ({told}); use --engine local, or give the "
            "--address of a cluster"
        )
    token = "; where the cluster asks for a token, set RAY_AUTH_MODE=token and copy the head's "
    return InputError(
        f"--address {address} cannot be used ({told}); expected a running Ray cluster (ray start "
        "--head prints its address), or no --address to start one here"
        + (f"{token}~/.ray/auth_token" if address.startswith("ray://") else "")
    )


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
