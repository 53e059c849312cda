"""What a run is (run.json), what was asked of it (plans/) and what failed (failures/)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lpa.classes import Classes
from lpa.errors import InputError
from lpa.json_text import read_json
from lpa.outcomes.cells import content_hash
from lpa.outcomes.plain_records import check_failure, check_plan, check_run
from lpa.outcomes.samples import Samples
from lpa.outcomes.store import Store

__all__ = [
    "DIVERGED",
    "RunRecord",
    "check_begun",
    "check_folder",
    "check_record",
    "create_or_check",
    "put_failure",
    "put_plan",
    "read_objects",
    "read_record",
    "same_run",
]

DIVERGED = "diverged: "
"""How the reason begins of a training that is not tried again by itself: it would fail alike."""

FORMAT = 1
"""Version of the run folder's layout."""


@dataclass(frozen=True)
class RunRecord:
    """The definition of a run, written once. A difference in any of it is another run.

    Attributes
    ----------
    kind : {"scan", "sweep", "probe", "import"}
        Which experiment.
    data : str
        The data set as it was named.
    split : str or None
        As asked; None for the data set's default.
    per_class, limit : int or None
        The selection.
    fingerprint : str
        Hash of the samples' keys, names, labels and splits.
    classes : Classes
        What ``label`` and ``prediction`` index.
    seed : int
        Seed of every random number.
    precision : {"fp32", "fp16", "bf16"}
        Precision of the forward passes.
    shard_size : int
        Consecutive samples per shard.
    reference : dict
        Further facts for readers (published full validation set, one photograph a class, ...).
    """

    kind: str
    data: str
    split: str | None
    per_class: int | None
    limit: int | None
    fingerprint: str
    classes: Classes
    seed: int
    precision: str
    shard_size: int
    reference: Mapping[str, Any]
    format: int = FORMAT

    DEFINING = ("kind", "split", "per_class", "limit", "seed", "precision", "fingerprint")

    @property
    def trained(self) -> bool:
        """Whether replicates are training runs, not random draws for a fixed model."""
        imported = self.reference.get("replicates") == "trainings"
        return self.kind in ("sweep", "probe") or (self.kind == "import" and imported)

    @property
    def called(self) -> str:
        """The kind with its article: "a scan", "an import"."""
        return f"{'an' if self.kind[:1] in 'aeiou' else 'a'} {self.kind}"

    @property
    def paired(self) -> bool:
        """Whether training runs of the same replicate share their seed between values (imports)."""
        return bool(self.reference.get("paired_replicates"))

    def to_bytes(self) -> bytes:
        """Return run.json."""
        record = {item.name: getattr(self, item.name) for item in fields(self)}
        record["classes"] = {
            "names": list(self.classes.names),
            "labels": list(self.classes.labels),
        }
        record["reference"] = dict(self.reference)
        # Of what is read again, whose keys are all texts.
        record["digest"] = content_hash(json.loads(json.dumps(record)))
        return json.dumps(record, indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> RunRecord:
        """Read run.json; raise ValueError, KeyError or TypeError for anything else."""
        record = read_json(data)
        digest = record.pop("digest", None)  # Runs of before there was one have none.
        if digest not in (None, content_hash(record)):
            raise ValueError("it was changed")
        check_run(record)
        classes = record.pop("classes")
        return cls(classes=Classes(tuple(classes["names"]), tuple(classes["labels"])), **record)


def read_record(store: Store) -> RunRecord:
    """Read what a run is.

    Raises
    ------
    InputError
        When the folder is no run, or one of another version.
    """
    try:
        data = store.get("run.json")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{store} is no run: there is no run.json in it; expected the folder that `lpa scan`, "
            "`train-sweep`, `probe` or `import` named at its end"
        ) from None
    except OSError as error:
        raise InputError(
            f"{store} cannot be read ({error.strerror or error}); expected the folder of a run"
        ) from error
    try:
        found = read_json(data).get("format")
        if found == FORMAT:
            return RunRecord.from_bytes(data)
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"{store}/run.json cannot be read as a run's record; expected the file that `lpa "
            "scan`, `train-sweep`, `probe` or `import` wrote: restore it, or start a new run with "
            "--out"
        ) from error
    raise InputError(
        f"{store}/run.json has format {found!r}; this version of lpa reads format {FORMAT}: "
        "use the version that wrote it"
    )


def create_or_check(store: Store, record: RunRecord, samples: Samples) -> RunRecord:
    """Write run.json and samples.parquet of a new run, or check that the run there is the same.

    Of several commands that begin the run at the same moment, one writes the record; the others
    find it and are checked against it.

    Returns
    -------
    RunRecord
        The run's own record, whose classes and shard size hold from now on.

    Raises
    ------
    InputError
        For a directory with other files in it, for a run of other data, split, selection, seed or
        precision (the field and both values), and for one that another command has begun since
        this one looked, with other classes or shards.
    """
    check_folder(store)
    begins = not store.exists("run.json")
    created = begins and store.put_new("run.json", record.to_bytes())
    checked = check_record(store, record, samples)
    if begins:
        # Read back: it may be another command's.
        check_begun(store, checked, record)
    # After the record, so that only the run's own samples are ever written. Where a kill came
    # between the two, the next command writes them.
    if created or not store.exists("samples.parquet"):
        store.put("samples.parquet", samples.to_parquet_bytes())
    return checked


def check_begun(store: Store, begun: RunRecord, prepared: RunRecord) -> None:
    """Check that the run in the store is the one that a task was prepared for.

    Raises
    ------
    InputError
        When another command began it since, with what changes the cells or their places.
    """
    if _layout(begun) != _layout(prepared):
        raise InputError(
            f"another run was begun in {store} in the meantime; expected one with the "
            "same classes and shards: run the same command again"
        )


def same_run(one: RunRecord, other: RunRecord) -> bool:
    """Tell whether two records define the same run, with the same cells at the same places."""
    return _layout(one) == _layout(other) and all(
        getattr(one, name) == getattr(other, name) for name in RunRecord.DEFINING
    )


def _layout(record: RunRecord) -> tuple[int, tuple[str, ...], Any]:
    return record.shard_size, record.classes.names, record.reference.get("training")


def check_folder(store: Store) -> None:
    """Check that a run can be begun, or is, in the folder; nothing is written.

    Raises
    ------
    InputError
        For a file, and for a directory with other files in it.
    """
    if store.exists("run.json"):
        return
    # A kill while a run was begun leaves a temporary file, and of earlier versions the samples.
    strangers = [
        name
        for name in store.entries()
        if name not in ("run.json", "samples.parquet") and not name.startswith(".put-")
    ]
    if strangers:
        raise InputError(
            f"{store} holds other files ({strangers[0]}) and no run; expected an empty or "
            "new directory, or a run: give another with --out DIR"
        )


def check_record(store: Store, record: RunRecord, samples: Samples) -> RunRecord:
    """Check that the run in the folder, if there is one, is the same; nothing is written.

    Parameters
    ----------
    store : Store
        The run's folder.
    record : RunRecord
        What is asked for.
    samples : Samples
        Its samples: where the data differ, the message counts how.

    Returns
    -------
    RunRecord
        The run's own record, or the given one where there is no run yet.

    Raises
    ------
    InputError
        As :func:`create_or_check`.
    """
    check_folder(store)
    if not store.exists("run.json"):
        return record
    present = read_record(store)
    for name in RunRecord.DEFINING:
        there, asked = getattr(present, name), getattr(record, name)
        if there != asked:
            shown = name.replace("_", "-")
            difference = f"is a run with {shown} {_shown(there)}, and {_shown(asked)} was asked for"
            if name == "fingerprint":
                difference = f"is a run of other data: {_changes(store, samples)}"
            raise InputError(
                f"{store} {difference}; models, augmentations, values and draws extend a run, this "
                "does not: give another directory with --out DIR"
            )
    return present


def _changes(store: Store, samples: Samples) -> str:
    """Count how samples differ from the run's: ``compared with its 30 files: 2 new``."""
    try:
        before = Samples.from_parquet_bytes(store.get("samples.parquet"))
    except FileNotFoundError:
        return "its files are not listed yet"
    old, new = (
        {
            name: (key, label, split)
            for name, key, label, split in zip(
                one.name, one.key.tolist(), one.label.tolist(), one.split.tolist(), strict=True
            )
        }
        for one in (before, samples)
    )
    both = [name for name in new if name in old]
    kinds = {
        "new": [name for name in new if name not in old],
        "gone": [name for name in old if name not in new],
        "changed": [name for name in both if new[name][0] != old[name][0]],
        "in another class or split": [name for name in both if new[name][1:] != old[name][1:]],
    }
    found = [f"{len(names)} {kind} (first {names[0]!r})" for kind, names in kinds.items() if names]
    if not found:
        return f"its {len(old)} files stand at other places of the data set"
    return f"compared with its {len(old)} files: " + ", ".join(found)


def _shown(value: Any) -> str:
    if value is None:
        return "(default)"
    return f"{value[:12]}..." if isinstance(value, str) and len(value) > 20 else str(value)


UNSTABLE = ("versions", "device", "created")
"""Fields of a plan that say when and where, not what: they do not enter its hash."""


def put_plan(store: Store, plan: Mapping[str, Any]) -> str:
    """Write what one invocation asked for; the same request is written once."""
    stable = {key: value for key, value in plan.items() if key not in UNSTABLE}
    name = f"plans/{content_hash(stable)}.json"
    if not store.exists(name):
        store.put(name, json.dumps(plan, indent=1, ensure_ascii=False).encode())
    return name


@dataclass(frozen=True)
class Failure:
    """What failed and why; tried again by the next run of the same command.

    ``model`` is that of a scan, or names one training of a sweep (model, value and seed).
    """

    shard: int
    model: str | None
    reason: str
    cells: tuple[str, ...]


def put_failure(
    store: Store, shard: int, model: str | None, reason: str, cells: Iterable[str]
) -> str:
    """Record that cells of a shard could not be computed."""
    failure = asdict(Failure(shard, model, reason, tuple(sorted(cells))))
    name = f"failures/{content_hash(failure)}.json"
    store.put(name, json.dumps(failure, indent=1).encode())
    return name


CHECKS: Mapping[str, Callable[[Any], None]] = {"plans": check_plan, "failures": check_failure}


def read_objects(store: Store, prefix: str) -> list[dict[str, Any]]:
    """Read all JSON objects under a folder of the store, in the order of their names.

    Raises
    ------
    InputError
        For a damaged object, and for one that holds something else than lpa writes there.
    """
    objects = []
    for name in store.list(prefix):
        try:
            found = read_json(store.get(name))
        except ValueError as error:
            raise InputError(
                f"{store}/{name} is damaged: expected JSON; delete the file"
            ) from error
        try:
            CHECKS[prefix](found)
        except (ValueError, TypeError, KeyError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(
                f"{store}/{name} holds something else than lpa writes there ({reason}): delete the "
                "file"
            ) from error
        objects.append(found)
    return objects
