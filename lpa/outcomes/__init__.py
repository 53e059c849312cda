"""The waist of the hourglass: outcomes, how they are stored and how they are read.

Everything above produces outcomes ("this model, at this value of this axis, in this replicate,
predicted that for this sample"); everything below reads them. This package may be touched for the
layout of a run's folder and for access to it; it knows no model, no augmentation and no statistic.

A run's folder, on a disk or in an object store::

    run.json                 written once: kind, selection and fingerprint, classes, seed, ...
    samples.parquet          the declared samples: sample, key, name, label, split
    plans/<hash>.json        one per invocation: what was asked, versions, device
    units/<hash>.parquet     immutable results; metadata lists cells, skips, timings
    counts/<hash>.parquet    imported counts by training run and class, where there are no units
    source/<hash>.parquet    counts of a probe's backbones on their own data
    failures/<hash>.json     what failed and why; tried again next time
    examples/                pictures for the report
    index/units.parquet      a copy of what units say of themselves: may be deleted at any time
"""

from lpa.outcomes.cells import Cell, WorkUnit, cell_id, content_hash
from lpa.outcomes.counts import COUNTS_SCHEMA, SOURCE, put_counts, read_counts
from lpa.outcomes.reading import Coverage, Outcomes, foreign_unit
from lpa.outcomes.record import (
    DIVERGED,
    RunRecord,
    check_begun,
    check_folder,
    check_record,
    create_or_check,
    put_failure,
    put_plan,
    read_objects,
    read_record,
    same_run,
)
from lpa.outcomes.samples import Samples
from lpa.outcomes.store import FolderStore, Location, Store, is_address, local_path
from lpa.outcomes.stored_units import StoredUnits
from lpa.outcomes.units import COLUMNS, Unit, read_column, read_header, unit_name, write_unit

__all__ = [
    "COLUMNS",
    "COUNTS_SCHEMA",
    "DIVERGED",
    "SOURCE",
    "Cell",
    "Coverage",
    "FolderStore",
    "Location",
    "Outcomes",
    "RunRecord",
    "Samples",
    "Store",
    "StoredUnits",
    "Unit",
    "WorkUnit",
    "cell_id",
    "check_begun",
    "check_folder",
    "check_record",
    "content_hash",
    "create_or_check",
    "foreign_unit",
    "is_address",
    "local_path",
    "put_counts",
    "put_failure",
    "put_plan",
    "read_column",
    "read_counts",
    "read_header",
    "read_objects",
    "read_record",
    "same_run",
    "unit_name",
    "write_unit",
]
