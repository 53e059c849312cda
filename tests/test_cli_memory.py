"""Where memory ends, a command says so in one line."""

from __future__ import annotations

import errno
from typing import Any

import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner
from lpa_cli import main

import lpa


def chained() -> Exception:
    try:
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("no columns") from error
    except ValueError as error:
        return error


def refused_allocation() -> Exception:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    return caught.value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "MemoryError"),
        (torch.OutOfMemoryError("CUDA out of memory.\nTried 2 G"), "CUDA out of memory. Tried 2 G"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "malloc of size 64 failed"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (RuntimeError("could not create a primitive"), "could not create a primitive"),
        (ImportError("a.so: failed to map segment from shared object"),
         "a.so: failed to map segment from shared object"),
        (chained(), "MemoryError"),
    ],
)  # fmt: skip
def test_whoever_lacks_memory_the_answer_is_one_line(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(error, monkeypatch) == (
        f"Error: there is not enough memory ({reason}); what was finished is kept: free some, or "
        "give a smaller --batch-size or fewer --workers, and run the same command again\n"
    )


def test_what_torch_says_when_the_machine_has_none_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert told(refused_allocation(), monkeypatch).startswith("Error: there is not enough memory (")


def test_what_is_said_in_a_line_already_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    error = lpa.InputError("model 'a' does not fit (CUDA out of memory)")
    assert told(error, monkeypatch) == "Error: model 'a' does not fit (CUDA out of memory)\n"


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError, match="by zero"):
        told(ZeroDivisionError("by zero"), monkeypatch)


def told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a command meet an error; return what it writes to standard error."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(lpa, "open", fail)
    result = CliRunner().invoke(main, ["curves", "run"])
    if isinstance(result.exception, ZeroDivisionError):
        raise result.exception
    assert result.exit_code == 1
    return result.stderr
