"""Open the run that a command has just worked on."""

from __future__ import annotations

from lpa.errors import InputError
from lpa.outcomes import RunRecord, Store, same_run
from lpa.runs import Run, open_run

__all__ = ["reopen"]


def reopen(store: Store, record: RunRecord, strict: bool) -> Run:
    """Open a run for reading, and leave a copy of what its units say where there are many.

    Parameters
    ----------
    store : Store
        The run's.
    record : RunRecord
        What the run was when the command began.
    strict : bool
        Refuse a run with incomplete cells.

    Raises
    ------
    InputError
        As :func:`lpa.open`; and where the run is another one now. A folder, and an object store
        that writes a new object only where there is none, do not let two commands begin different
        runs at one place; others may, and are caught here.
    """
    run = open_run(store.location, strict=strict)
    if not same_run(run.outcomes.record, record):
        raise InputError(
            f"{store} is another run now, which another command began at the same moment; "
            "expected one run at one place: delete it, and give one of the two another --out"
        )
    run.outcomes.stored.put_index()
    return run
